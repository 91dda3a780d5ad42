"""The health port of many instances: a program of its own that asks the socket of each."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import parse_qsl, urlencode

from pastebox.config.bind import UNIX
from pastebox.config.model import Bind
from pastebox.daemon.instances_pages import INDEX, PATHS, Seen, one_page, respond
from pastebox.daemon.instances_state import State, StateFile
from pastebox.errors import PasteboxError
from pastebox.health.probe import Probe, ProbeResult
from pastebox.health.target import unix
from pastebox.observe.connection import Reply
from pastebox.observe.logs import configure, tell
from pastebox.observe.pages import text_page
from pastebox.observe.port import HealthPort
from pastebox.observe.request import Request
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.signals import SignalQueue
from pastebox.process.sockets import bind_sockets

log = logging.getLogger("pastebox.daemon")

TIMEOUT_S = 2.0
"""For the answer of one instance; ``pastebox health`` waits for 2.5 s."""

_ASKS_READY = ("/readyz", "/healthz", "/status")
_JSON_HEADERS = (("Accept", "application/json"),)


class InstancesPort(HealthPort):
    """Answers for all instances, or passes on what one of them says.

    Args:
        loop: the program's.
        listener: bound and listening; closed by :meth:`close`.
        state: says which instances there are, at the time of each request.
    """

    def __init__(self, loop: Loop, listener: socket.socket, state: Callable[[], State]) -> None:
        super().__init__(loop, listener, Status())
        self._loop = loop
        self._state = state

    def _answer(self, request: Request, reply: Reply) -> None:
        if request.path not in PATHS:
            status = 200 if request.path == "/" else 404
            reply(text_page(status, INDEX if status == 200 else f"not found; there are:\n{INDEX}"))  # noqa: PLR2004  # as said
            return
        state = self._state()
        words = parse_qsl(request.query, keep_blank_values=True)
        names = [text for word, text in words if word == "instance"]
        if names:
            rest = urlencode([pair for pair in words if pair[0] != "instance"])
            self._answer_one(state, names[-1], request._replace(query=rest), reply)
        else:
            self._answer_all(state, request, reply)

    def _answer_one(self, state: State, name: str, request: Request, reply: Reply) -> None:
        refused = {one.name: one.error for one in state.refused}
        health = {one.name: one.health for one in state.instances}.get(name)
        if health is None:
            known = ", ".join(one.name for one in state.instances)
            page = text_page(404, f"there is no instance of that name; there are: {known}")
            if name in refused:
                page = one_page(request.path, Seen(name, None, refused[name]))
            reply(page)
            return
        path = f"{request.path}?{request.query}" if request.query else request.path
        headers = (("Accept", request.accept),) if request.accept.isprintable() else ()
        self._ask(health, path, headers, lambda one: reply(one_page(request.path, Seen(name, one))))

    def _answer_all(self, state: State, request: Request, reply: Reply) -> None:
        path = "/readyz" if request.path in _ASKS_READY else request.path
        running = {one.name for one in state.instances}
        seen = {
            one.name: Seen(one.name, None, one.error)
            for one in state.refused
            if one.name not in running
        }
        waiting = set(running)

        def answered(name: str, result: ProbeResult) -> None:
            seen[name] = Seen(name, result)
            waiting.discard(name)
            if not waiting:
                finish()

        def finish() -> None:
            everyone = [seen[name] for name in sorted(seen)]
            reply(respond(request.path, request.query, request.accept, state.base.fail, everyone))

        if not waiting:
            finish()
        for one in state.instances:
            self._ask(one.health, path, _JSON_HEADERS, partial(answered, one.name))

    def _ask(
        self,
        health: str,
        path: str,
        headers: Sequence[tuple[str, str]],
        then: Callable[[ProbeResult], None],
    ) -> None:
        probe = Probe(
            self._loop, unix(health), path, headers=tuple(headers), timeout_s=TIMEOUT_S, keep_s=0
        )
        probe.ask(then)


def listen(host: str, port: int) -> socket.socket:
    """Bind the health port, or a socket where the host is ``unix:/path``.

    Raises:
        PasteboxError: it cannot be had.
    """
    path = host.removeprefix(UNIX)
    bind = Bind("unix", path=path) if path != host else Bind("tcp", host, port)
    listener, *others = bind_sockets(bind, setting="PASTEBOX_HEALTH_PORT")
    for other in others:
        other.close()
    listener.listen(128)
    return listener


def main(argv: Sequence[str]) -> int:
    """Serve until told to stop: ``RUN_DIR HOST PORT``; return the exit status."""
    run_dir, host, port = argv
    with SignalQueue((signal.SIGTERM, signal.SIGINT)) as signals:
        try:
            configure("text", "info")
            loop = Loop()
            state = StateFile(run_dir)
            pages = InstancesPort(loop, listen(host, int(port)), state.read)
            log.info(
                "health of the instances on %s", host if host.startswith(UNIX) else f"{host}:{port}"
            )
            loop.on_readable(signals.fileno(), loop.stop)
            loop.run()
            pages.close()
        except PasteboxError as error:
            tell(error, "text")
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
