"""One application behind one front end, started for the grid, and what can be seen of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import Self

import contract_app
from app_process import (
    AppProcess,
    children_of,
    clean_environ,
    free_port,
    is_running,
    wait_until,
)
from contract_wire import Http, Place
from front_ends import FrontEnd, require
from grid_rows import Row

INI = """\
[app:main]
paste.app_factory = contract_app:main
{server}
"""

SCRIPT = """\
#!/bin/sh
echo $$ >>{directory}/pids
exec 2>>{directory}/app.log
{exports}
exec {python} -m pastebox.cli.main serve {directory}/app.ini
"""


class Stand:
    """Use it in a ``with`` block. ``transport`` is ``tcp``, ``unix`` or ``ipv6``."""

    process: AppProcess | None = None
    front: FrontEnd | None = None

    def __init__(self, row: Row, transport: str = "tcp") -> None:
        self.row = row
        self.transport = transport
        self.host = "::1" if transport == "ipv6" else "127.0.0.1"
        self.directory = Path(tempfile.mkdtemp(prefix="grid-"))
        self.health_port = free_port()
        self.app = Place(self.host, free_port(self.host))
        if transport == "unix":
            self.app = Place(path=str(self.directory / "app.sock"))
        self._written: list[Path] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> None:
        front = self.row.front
        (self.directory / "contract_app.py").write_text(Path(contract_app.__file__).read_text())
        case = self.row.case
        address = case.unix if self.transport == "unix" else case.tcp
        if front.starts != "serve":
            address = ""  # the socket is on descriptor 0, or there is none
        address = address.format(host=self.app.host, port=self.app.port, path=self.app.path)
        ini = INI.format(server=case.section(address, case.more))
        script = self._script(ini)
        if front.starts != "front":
            self._serve(ini)
        if front.program:
            front_directory = self.directory
            self.front = FrontEnd(front, front_directory, self.app, host=self.host, script=script)
        self.client = Http(self.front.place if self.front else self.app)

    def _serve(self, ini: str) -> None:
        wrapper: tuple[str, ...] = ()
        if self.row.front.starts == "spawn-fcgi":
            where = ("-a", self.app.host, "-p", str(self.app.port))
            if self.app.path:
                where = ("-s", self.app.path)
            wrapper = (require("spawn-fcgi"), "-n", *where, "--")
        self.process = AppProcess(
            self.directory,
            code=None,
            ini=ini,
            wrapper=wrapper,
            PASTEBOX_HEALTH_PORT=str(self.health_port),
        )
        self.process.wait_log(r"listening on (\S+)")

    def _script(self, ini: str) -> Path:
        """Write what a front end starts; by its name some know what it is."""
        (self.directory / "app.ini").write_text(ini)
        port = "off" if self.row.front.speaks == "cgi" else str(self.health_port)
        environ = clean_environ(self.directory, {"PASTEBOX_HEALTH_PORT": port})
        exports = "\n".join(f"export {name}='{value}'" for name, value in environ.items())
        path = self.directory / f"app.{self.row.front.speaks}"
        path.write_text(
            SCRIPT.format(directory=self.directory, exports=exports, python=sys.executable)
        )
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path

    def stop(self) -> None:
        """End everything that was started, and take its directory away."""
        self.last_words = self.log()
        if self.front is not None:
            self.front.stop()
        if self.process is not None:
            self.process.kill()
        for pid in self._spawned():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """Return what application and front end have written."""
        path = self.directory / "app.log"
        texts = [self.process.log() if self.process else ""]
        texts.append(path.read_text() if path.exists() else "")
        texts.append(self.front.log() if self.front else "")
        return "\n".join(text[-6000:] for text in texts)

    # -- what can be seen ------------------------------------------------------------------------

    def _spawned(self) -> list[int]:
        """Return the processes that the front end has started from the script and that run."""
        path = self.directory / "pids"
        pids = [int(word) for word in path.read_text().split()] if path.exists() else []
        return [pid for pid in pids if is_running(pid)]

    def wait_quiet(self) -> None:
        """Wait until no request is worked on."""
        if self.row.front.speaks == "cgi":
            wait_until(lambda: not self._spawned(), "every CGI process to end")
        else:
            wait_until(lambda: self._in_flight() == 0, "nothing in flight")

    def _in_flight(self) -> float:
        client = Http(Place(port=self.health_port))
        for line in client.ask(path="/metrics").text.splitlines():
            if line.startswith("pastebox_requests_in_flight "):
                return float(line.split()[1])
        raise AssertionError("no metric of requests in flight")

    def census(self) -> tuple[int, int]:
        """Return the most descriptors and the most threads that a worker has."""
        masters = [self.process.pid] if self.process else self._spawned()
        todo = [child for master in masters for child in children_of(master)]
        descriptors = threads = 0
        while todo:
            pid = todo.pop()
            with contextlib.suppress(OSError):
                descriptors = max(descriptors, len(os.listdir(f"/proc/{pid}/fd")))
                threads = max(threads, len(os.listdir(f"/proc/{pid}/task")))
            todo += children_of(pid)
        return descriptors, threads

    def upstream_connections(self) -> frozenset[str]:
        """Return the inodes of the application's established TCP connections (proc(5))."""
        found = set()
        for name in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in Path(name).read_text().splitlines()[1:]:
                words = line.split()
                port = int(words[1].rpartition(":")[2], 16)
                if port == self.app.port and words[3] == "01":
                    found.add(words[9])
        return frozenset(found)
