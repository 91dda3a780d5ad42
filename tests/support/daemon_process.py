"""A real ``pastebox serve --mode daemon`` with a run directory of its own, and its ``ctl``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile

from app_process import PATIENCE_S, AppProcess, clean_environ


class Daemons:
    """Starts daemons in one directory each, and removes what they leave."""

    def __init__(self, start) -> None:
        self._start = start
        self._directories: list[str] = []

    def __call__(self, more: str = "", **options) -> Daemon:
        """Start one; ``more`` is INI text behind the application's sections."""
        run_dir = tempfile.mkdtemp(prefix="pb-")  # a socket's path is short
        self._directories.append(run_dir)
        options = {"PASTEBOX_MODE": "daemon", "PASTEBOX_RUN_DIR": run_dir, **options}
        return Daemon(self._start(more=more, **options), run_dir)

    def close(self) -> None:
        for one in self._directories:
            shutil.rmtree(one, ignore_errors=True)


class Daemon:
    """One daemon: the process, and what ``pastebox ctl`` says of it."""

    def __init__(self, process: AppProcess, run_dir: str) -> None:
        self.process = process
        self.run_dir = run_dir

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``pastebox ctl``."""
        return subprocess.run(
            [sys.executable, "-m", "pastebox", "ctl", *words],
            env=clean_environ(self.process.directory, {"PASTEBOX_RUN_DIR": self.run_dir}),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def status(self, name: str) -> dict:
        """Return what is known of a program."""
        answer = self.ctl("status", "--json", name)
        assert answer.stdout, answer.stderr
        (facts,) = json.loads(answer.stdout)
        return facts

    def supervisorctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``supervisorctl -c`` with the rendered configuration."""
        command = [sys.executable, "-m", "supervisor.supervisorctl"]
        return subprocess.run(
            [*command, "-c", f"{self.run_dir}/supervisord.conf", *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def wait_started(self, name: str, *, count: int = 1) -> int:
        """Wait until a program was started for so many times; return its pid."""
        found = self.process.wait_log(rf"program started name={name} pid=(\d+)", count=count)
        return int(found[1])
