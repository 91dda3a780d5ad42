"""A PostgreSQL server of the test's own: on a Unix socket, started again at will."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

BINARIES = "/usr/lib/postgresql"
USER = "postgres"
DEADLINE_S = 60


def _bin() -> Path | None:
    """Return where the newest installed server is; Debian has it outside of ``PATH``."""
    found = sorted(Path(BINARIES).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return Path(there).parent if there else None


class PostgresServer:
    """It refuses to run as root, so there it is Debian's user ``postgres`` who runs it."""

    def __init__(self) -> None:
        found = _bin()
        if found is None:
            reason = "no PostgreSQL server is installed"
            if "postgresql" in os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split():
                pytest.fail(f"PASTEBOX_REQUIRE names postgresql, but {reason}", pytrace=False)
            pytest.skip(f"needs postgresql: {reason}")
        self._bin = found
        self.directory = tempfile.mkdtemp(prefix="pg-")  # a socket's path has 107 characters
        if os.geteuid() == 0:
            os.chown(self.directory, pwd.getpwnam(USER).pw_uid, -1)
            os.chmod(self.directory, 0o755)
        self._run("initdb", "--auth=trust", "--username=wiki", "--no-sync", "-D", self._data)
        self.start()

    @property
    def url(self) -> str:
        """The address of a database that is there."""
        return self.url_of("postgres")

    def url_of(self, database: str, user: str = "wiki") -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@/{database}?host={self.directory}"

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Return what it answers."""
        import psycopg  # with the server, or not at all

        with psycopg.connect(self.url, autocommit=True) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else []

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-k {self.directory} -c listen_addresses= -c fsync=off"
        self._control("start", "-o", options, "-l", f"{self.directory}/log")

    def stop(self) -> None:
        """End it at once; sessions are cut off."""
        self._control("stop", "-m", "immediate")

    def remove(self) -> None:
        """End it for good."""
        self.stop()
        shutil.rmtree(self.directory)

    @property
    def _data(self) -> str:
        return f"{self.directory}/data"

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", self._data, "-w", *words)

    def _run(self, program: str, *words: str) -> None:
        ended = subprocess.run(
            [str(self._bin / program), *words],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be the server's as well, and never end
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S,
            check=False,
            user=USER if os.geteuid() == 0 else None,
        )
        assert ended.returncode == 0, f"{program} {' '.join(words)}: {ended.returncode}"
