"""Servers beside a second program: our daemon, and supervisord as it is."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from stop_peers import PLAIN, Peer

WORKER = """\
import os, signal, time
def end(*_):
    os.write(1, b"last %d\\n" % number)
    os._exit(0)
number = 0
signal.signal(signal.SIGTERM, end)
while True:
    number += 1
    os.write(1, b"line %d of the worker, which writes as much as it can\\n" % number)
    time.sleep(0.002)
"""
"""A program that always writes, and says at its end how much that was."""

SECTION = "[pastebox:program:worker]\ncommand = {python} %(here)s/worker.py\n"

SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
logfile=/dev/null
logfile_maxbytes=0
pidfile={directory}/pid
childlogdir={directory}
[program:web]
command={web}
environment={environment}
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
redirect_stderr=true
[program:worker]
command={python} {directory}/worker.py
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
"""


class DaemonPeer(Peer):
    """The application and the worker under a supervisor.

    ``program`` is ``daemon`` for ours, ``supervisord`` for plain supervisord with plain waitress,
    and ``supervisord pastebox`` for plain supervisord with pastebox in it.
    """

    def ini(self, port: int) -> str:
        more = SECTION.format(python=sys.executable) if self.program == "daemon" else ""
        return super().ini(port) + more

    def command(self, directory: Path, port: int) -> list[str]:
        (directory / "worker.py").write_text(WORKER)
        if self.program == "daemon":
            words = ["serve", "--mode", "daemon", "--run-dir", str(directory)]
            return [sys.executable, "-m", "pastebox", *words, str(directory / "app.ini")]
        web = f"{sys.executable} -m pastebox serve {directory}/app.ini"
        if self.program == "supervisord":
            (directory / "plain.py").write_text(PLAIN)
            web = f"{sys.executable} {directory}/plain.py {directory} {port}"
        text = SUPERVISORD.format(
            directory=directory, web=web, python=sys.executable, environment="X=1"
        )
        (directory / "supervisord.conf").write_text(text)
        program = shutil.which("supervisord") or f"{Path(sys.executable).parent}/supervisord"
        return [program, "-n", "-c", str(directory / "supervisord.conf")]


PEERS = {
    "daemon": DaemonPeer("daemon", program="daemon"),
    "supervisord": DaemonPeer("supervisord", program="supervisord"),
    "supervisord pastebox": DaemonPeer("supervisord pastebox", program="supervisord pastebox"),
}


def lost_lines(log: str) -> int:
    """Return how many lines of the worker are not in a log whole; -1 where its last one is not."""
    last = re.search(r"^(?:worker \| )?last (\d+)$", log, re.MULTILINE)
    if last is None:
        return -1
    pattern = r"^(?:worker \| )?line (\d+) of the worker, which writes as much as it can$"
    found = [int(number) for number in re.findall(pattern, log, re.MULTILINE)]
    return len(set(range(1, int(last[1]) + 1)) - set(found)) + len(found) - len(set(found))
