"""A volume, an installed application, and processes that do first boot on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

import boot_apps

from pastebox.boot import journal as journals

DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot_driver.py")
INI = """
[app:main]
use = egg:demoapp
effect_dir = {effects}
how = {how}

[server:main]
use = egg:waitress#main
"""


class Ended(NamedTuple):
    """How a start ended."""

    code: int
    outcome: dict[str, Any]
    stdout: str
    log: str


class Volume:
    """A data directory, an application in a site directory, and where its setup leaves marks."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.site = os.path.join(root, "site")
        self.data = os.path.join(root, "data")
        self.ini = os.path.join(root, "etc", "my.ini")
        for path in (self.site, self.data, os.path.dirname(self.ini)):
            os.makedirs(path)
        boot_apps.install(self.site)
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": self.site,
            "PYTHONWARNINGS": "error",
            "PASTEBOX_APP": "demoapp",
            "PASTEBOX_DATA_DIR": self.data,
            "PASTEBOX_HOOKS_DIR": os.path.join(root, "hooks"),
        }

    @property
    def state(self) -> str:
        """The state directory."""
        return os.path.join(self.data, ".pastebox")

    @property
    def effects(self) -> str:
        """Where the setup of this volume's INI leaves its marks."""
        return self.data if os.path.exists(self.ini) else self.state

    def write_ini(self, how: str = "well") -> str:
        """Mount an INI."""
        with open(self.ini, "w", encoding="utf-8") as file:
            file.write(INI.format(effects=self.data, how=how))
        return self.ini

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start first boot, without waiting; ``words`` are variables."""
        arguments = [self.ini] if os.path.exists(self.ini) else []
        return subprocess.Popen(
            [sys.executable, DRIVER, *arguments, *words],
            env={**self.environ, **environ},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def boot(self, **environ: str) -> Ended:
        """Do first boot to its end."""
        return finish(self.start(**environ))

    def runs(self) -> int:
        """How often the setup ran."""
        return len(self.tokens())

    def tokens(self) -> list[str]:
        """The fencing token of each run of the setup."""
        lines = _lines(os.path.join(self.effects, "runs"))
        return [line.removeprefix("run ") for line in lines]

    def effect(self) -> list[str]:
        """What the setup left."""
        return _lines(os.path.join(self.effects, "effect"))

    def journal(self) -> journals.Journal:
        """The journal, which must be whole."""
        return journals.parse(self.read(f"{self.stem}.journal.json"))

    @property
    def stem(self) -> str:
        """The name of the state files."""
        return "my" if os.path.exists(self.ini) else "app"

    def read(self, name: str) -> bytes:
        """Read a file of the state directory."""
        with open(os.path.join(self.state, name), "rb") as file:
            return file.read()

    def check_whole(self) -> None:
        """Fail where a file of the state directory is torn, or was left behind."""
        if not os.path.isdir(self.state):
            return
        for name in os.listdir(self.state):
            if name.endswith(".journal.json"):
                journals.parse(self.read(name))
            elif name == "app.ini":
                assert self.read(name).endswith(b"[server:main]\nuse = egg:waitress#main\n")
            else:
                is_beside = name.startswith(".") and name.endswith(".tmp")
                assert is_beside or name in (f"{self.stem}.lock", "runs", "effect"), name


def finish(process: subprocess.Popen[str], timeout: float = 60) -> Ended:
    """Wait for a start; it is killed, and the test fails, when it takes too long."""
    try:
        stdout, log = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, log = process.communicate()
        raise AssertionError(f"did not end in {timeout} s\n{stdout}\n{log}") from None
    line = stdout.strip().splitlines()[-1:] or ["{}"]
    outcome = json.loads(line[0]) if line[0].startswith("{") else {}
    return Ended(process.returncode, outcome, stdout, log)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
