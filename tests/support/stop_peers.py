"""The servers that are stopped under load: every runner, and two peers without pastebox."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from app_process import INI
from contract_cases import CASES, Case
from contract_wire import Http
from stop_wire import GatewayConnection, HttpConnection


class Peer(NamedTuple):
    """A server.

    Attributes:
        name: how the table calls it.
        use: the server in the INI, with more lines of options.
        connect: makes a connection to a port.
        half: the beginning of a request.
        shape: what is different in its load.
        program: the server without pastebox, if it is one.
    """

    name: str
    use: str = "egg:waitress#main\nthreads = 12"
    connect: Callable[..., Any] = HttpConnection
    half: bytes = Http.half
    shape: dict[str, Any] = {}  # noqa: RUF012  # never changed
    program: str = ""

    @property
    def is_http(self) -> bool:
        return self.connect is HttpConnection

    def ini(self, port: int) -> str:
        server = f"host = 127.0.0.1\nport = {port}"
        use = self.use if self.use.startswith("paste.server") else f"use = {self.use}"
        text = INI.format(app="", server=server, more="")
        return text.replace("use = egg:waitress#main", use)

    def command(self, directory: Path, port: int) -> list[str]:
        if self.program == "plain":
            return [sys.executable, "-c", PLAIN, str(directory), str(port)]
        if self.program == "gunicorn":
            bind = f"--bind=127.0.0.1:{port}"
            ini = f"--paste={directory}/app.ini"
            program = shutil.which("gunicorn") or f"{Path(sys.executable).parent}/gunicorn"
            return [program, ini, bind, "--worker-class=gthread", "--threads=16", "--workers=1"]
        return [sys.executable, "-m", "pastebox.cli.main", "serve", str(directory / "app.ini")]


PLAIN = """\
import sys
from paste.deploy import loadapp
from waitress import serve
app = loadapp("config:app.ini", relative_to=sys.argv[1])
serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=12, _quiet=True)
"""

_THREADS = {
    "waitress": "threads = 12",
    "gunicorn": "worker_class = gthread\nthreads = 12\nworkers = 1",
    "gunicorn_sync": "workers = 12",
    "http": "threadpool_workers = 12",
    "cherrypy": "numthreads = 12",
    "external": "threads = 12",
    "uwsgi": "threads = 24\nsocket_timeout = 1",
}
"""As many as there are slow clients, and some more."""

_ONE_CONNECTION_EACH = {"idle": 0, "half_open": 0, "wrk": 0}
"""For a server whose worker belongs to one connection, which idle ones would take away."""

_SHAPES: dict[str, dict[str, Any]] = {
    "gunicorn_sync": _ONE_CONNECTION_EACH,
    "uwsgi": _ONE_CONNECTION_EACH,
    "bjoern": {"slow": 0},  # one request at a time
}


def _peer(case: Case) -> Peer:
    connect = HttpConnection
    if case.client is not Http:
        connect = partial(GatewayConnection, case.client)
    return Peer(
        case.name,
        "\n".join(filter(None, (case.use, _THREADS.get(case.name, case.more)))),
        connect,
        case.client.half,
        _SHAPES.get(case.name, {}),
    )


FOREIGN = ("external", "bjoern", "uwsgi")
"""Servers that are not ours: what they lose is counted, and no failure."""
RUNNERS = tuple(case.name for case in CASES)
_PEERS = {
    **{case.name: _peer(case) for case in CASES},
    "pastebox": Peer("pastebox"),
    "plain": Peer("plain", program="plain"),
    "bare gunicorn": Peer("bare gunicorn", program="gunicorn"),
}
PEERS = tuple(_PEERS)


def peer_of(name: str) -> Peer:
    """Return a peer by its name."""
    return _PEERS[name]
