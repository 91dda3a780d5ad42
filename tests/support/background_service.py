"""``pastebox serve`` in the background: run its words, and leave nothing behind."""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_process import APP, INI, PATIENCE_S, SERVER, Answer, clean_environ, is_running, wait_until

import pastebox

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
"""A user like any other, for a machine where the tests run as root."""
PATHS = (str(Path(pastebox.__file__).parents[1]), sysconfig.get_path("purelib"))


class Background:
    """A directory with an application, and the commands that a person would type in it."""

    def __init__(
        self, directory: Path, *, python: str = sys.executable, paths: tuple[str, ...] = PATHS
    ) -> None:
        self.directory = directory
        self.ini = directory / "app.ini"
        self.module = directory / "theapp.py"
        self.pid_file = directory / "pastebox.pid"
        self.log_file = directory / "pastebox.log"
        self.module.write_text(APP)
        self.ini.write_text(INI.format(app="", server=SERVER, more=""))
        self.python = python
        self._paths = paths
        self._masters: set[int] = set()

    def command(self, *words: str) -> list[str]:
        return [self.python, "-m", "pastebox.cli.main", "serve", *words]

    def environ(self, **settings: str) -> dict[str, str]:
        environ = clean_environ(self.directory, settings)
        environ["PYTHONPATH"] = os.pathsep.join((environ["PYTHONPATH"], *self._paths))
        return environ

    def start_command(self, *words: str, wrapper=(), pass_fds=(), **settings: str):
        """Begin a command; it is the caller's to wait for."""
        return subprocess.Popen(
            [*wrapper, *self.command(*words)],
            cwd=self.directory,
            env=self.environ(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )

    def say(self, *words: str, **more) -> subprocess.CompletedProcess:
        """Run ``pastebox serve WORDS`` to its end."""
        with self.start_command(*words, **more) as process:
            try:
                out, err = process.communicate(timeout=2 * PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{words} does not end; log:\n{self.log()}") from None
            finally:
                self._remember()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def start(self, *words: str, **more) -> subprocess.CompletedProcess:
        """Start it in the background, as nothing stands in its way."""
        done = self.say("app.ini", "start", *words, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def _remember(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._masters.add(self.pid)

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    @property
    def port(self) -> int:
        return int(re.findall(r"listening on http://\S+:(\d+)", self.log())[-1])

    def get(self, path: str = "/", port: int | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return Answer(connection.getresponse())

    def crash(self) -> int:
        """Kill the master, and wait until it and its workers are gone; return its number."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _group(pid), "the workers to follow the master")
        return pid

    def end(self) -> None:
        """End what still runs, whatever it does."""
        self._remember()
        for pid in self._masters:
            for one in _group(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)


def _group(pid: int) -> list[int]:
    """Return the living pastebox processes of the group that a master leads."""
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            one = int(name)
            if os.getpgid(one) == pid and is_running(one):
                command = Path(f"/proc/{one}/cmdline").read_bytes()
                found += [one] if b"pastebox" in command else []
    return found


@contextlib.contextmanager
def service_of_nobody() -> Iterator[Background]:
    """A service in a directory of the user nobody, with a Python that this user can run.

    What it imports is copied there: the tests may be where only root looks.
    """
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("becoming another user takes root and setpriv")
    directory = Path(tempfile.mkdtemp(prefix="pastebox-", dir="/var/tmp"))
    try:
        directory.chmod(0o755)
        shutil.chown(directory, "nobody")
        site = _copy_of_packages(directory / "site")
        service = Background(directory, python=_python_for_nobody(site), paths=(str(site),))
        yield service
        service.end()
    finally:
        shutil.rmtree(directory)


def _copy_of_packages(site: Path) -> Path:
    shutil.copytree(
        Path(pastebox.__file__).parent,
        site / "pastebox",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in ("PasteDeploy", "waitress"):
        for file in importlib.metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)
    return site


def _python_for_nobody(site: Path) -> str:
    code = "import pastebox.cli.serve, waitress, paste.deploy, urllib"
    for python in (sys.executable, "/usr/bin/python3"):
        # by a shell: setpriv itself can still reach a program that the user cannot
        done = subprocess.run(
            [*NOBODY, "sh", "-c", 'exec "$0" "$@"', python, "-c", code],
            env={"PYTHONPATH": str(site), "PATH": os.environ["PATH"]},
            cwd="/",
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            return python
    pytest.skip("no Python here that the user nobody can run pastebox with")
