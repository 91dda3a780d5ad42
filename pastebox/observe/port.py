"""The health port: a small HTTP server in the master, bounded in size, time and connections."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import time
from collections.abc import Callable
from typing import Protocol

from pastebox.errors import CannotCreateError, ConfigError, NoPermissionError
from pastebox.observe.connection import Connection, Reply
from pastebox.observe.pages import Page, asks_application, respond, text_page
from pastebox.observe.request import Request, response_bytes
from pastebox.observe.snapshot import Check
from pastebox.observe.status import Status
from pastebox.process.loop import Loop, Timer

MOST_CONNECTIONS = 32
STALLED_S = {"reading": 0.05, "answering": 1.0, "writing": 1.0}
"""After so long in a state a request may lose its connection to a new client. Whoever means it
sends a request in one piece; the answer may have to wait for the application."""

_ACCEPT_AT_ONCE = 16
_BACKLOG = 128
_PAUSE_S = 0.1
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_log = logging.getLogger(__name__)


class Verdict(Protocol):
    """What a probe of the application found."""

    ok: bool
    reason: str


class ReadyProbe(Protocol):
    """Asks the application itself, on the same loop, without waiting."""

    def ask(self, then: Callable[[Verdict], None]) -> None:
        """Call ``then`` once, now or later."""
        ...


class HealthPort:
    """Serves the pages of a status on a listener.

    Args:
        loop: the master's.
        listener: from :func:`bind`; closed by :meth:`close`.
        status: the facts.
        probe: asks the application for ``/readyz``; can be set later.
    """

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        status: Status,
        probe: ReadyProbe | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.probe = probe
        self._loop = loop
        self._listener = listener
        self._status = status
        self._wall = wall
        self._connections: dict[Connection, None] = {}  # in the order of acceptance
        self._verdict: tuple[float, Verdict] | None = None
        self._sweeper: Timer | None = None
        self._pause: Timer | None = None
        self._is_open = True
        listener.setblocking(False)
        loop.on_readable(listener.fileno(), self._accept)

    @property
    def port(self) -> int:
        """The port number that was bound."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Close the listener and all connections; twice is harmless."""
        if not self._is_open:
            return
        self._is_open = False
        for timer in (self._sweeper, self._pause):
            if timer is not None:
                timer.cancel()
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for connection in list(self._connections):
            connection.close()

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked process; the loop is shared, so not through it."""
        self._is_open = False
        self._listener.close()
        for connection in self._connections:
            connection.close_in_child()
        self._connections.clear()

    def _accept(self) -> None:
        """Take new connections; what goes wrong with one must not reach the loop."""
        try:
            for _ in range(_ACCEPT_AT_ONCE):
                if not self._accept_one():
                    return
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                self._out_of_descriptors()
        except Exception:  # noqa: BLE001  # a boundary: the master must go on
            _log.exception("health port cannot accept")

    def _accept_one(self) -> bool:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        sock.setblocking(False)
        if len(self._connections) >= MOST_CONNECTIONS and not self._make_room():
            self._turn_away(sock)
            return True
        connection = Connection(
            self._loop, sock, answer=self._answer, on_end=self._ended, wall=self._wall
        )
        self._connections[connection] = None
        connection.start()
        if self._sweeper is None and self._connections:
            self._sweep()
        return True

    def _make_room(self) -> bool:
        """Close the oldest idle connection, else the request that stalls longest."""
        now = self._loop.clock()
        candidates = [one for one in self._connections if one.is_idle] or [
            one for one in self._connections if now - one.since >= STALLED_S.get(one.state, 0.0)
        ]
        if not candidates:
            return False
        min(candidates, key=lambda one: one.since).close()
        return True

    def _turn_away(self, sock: socket.socket) -> None:
        page = text_page(503, f"{MOST_CONNECTIONS} connections are busy; try again")
        with contextlib.suppress(OSError):
            sock.send(response_bytes(page, now=self._wall(), keep_alive=False))
            sock.shutdown(socket.SHUT_WR)
            sock.recv(65536)  # unread bytes would turn the end into a reset
        sock.close()

    def _out_of_descriptors(self) -> None:
        """Without a free descriptor the listener stays readable: close an idle one, and pause."""
        _log.warning("health port cannot accept: no descriptor is free")
        self._make_room()
        self._loop.on_readable(self._listener.fileno(), None)
        self._pause = self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        if self._is_open:
            self._loop.on_readable(self._listener.fileno(), self._accept)

    def _sweep(self) -> None:
        """Expire what is due; one timer serves all connections."""
        now = self._loop.clock()
        self._sweeper = None
        for connection in [one for one in self._connections if one.deadline <= now]:
            connection.expire()
        if self._connections and self._is_open:
            soonest = min(connection.deadline for connection in self._connections)
            self._sweeper = self._loop.call_later(min(1.0, max(0.02, soonest - now)), self._sweep)

    def _ended(self, connection: Connection) -> None:
        self._connections.pop(connection, None)

    def _answer(self, request: Request, reply: Reply) -> None:
        if not asks_application(request.path):
            reply(self._page(request, self._last_verdict()))
            return
        if self.probe is None or not self._status.ready:
            reply(self._page(request, None))
            return

        def then(verdict: Verdict) -> None:
            self._verdict = (self._loop.clock(), verdict)
            reply(self._page(request, Check("application", verdict.ok, verdict.reason)))

        self.probe.ask(then)

    def _last_verdict(self) -> Check | None:
        """Return what the application's probe found last, with its age."""
        if self.probe is None or self._verdict is None:
            return None
        at, verdict = self._verdict
        age = f"{self._loop.clock() - at:.0f} s ago"
        return Check("application", verdict.ok, f"{verdict.reason}, {age}")

    def _page(self, request: Request, application: Check | None) -> Page:
        try:
            return respond(
                request.path, request.query, request.accept, self._status.snapshot(), application
            )
        except Exception:  # noqa: BLE001  # a boundary: a defect in a page is a 500
            _log.exception("health page failed path=%s", request.path)
            return text_page(500, "internal error; the traceback is in the log")


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket of the health port.

    Raises:
        ConfigError: the host is not an address of this machine.
        CannotCreateError: the port is in use.
        NoPermissionError: the port is below 1024 and this process may not have it.
    """
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.encode("ascii"),
            port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV,
        )[0]
    except (OSError, UnicodeError) as error:
        raise _bad_host(host, error) from error
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # and IPv4 too
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise _bad_host(host, error) from error
        kind_of = NoPermissionError if error.errno == errno.EACCES else CannotCreateError
        raise kind_of(
            f"the health port cannot listen on {place}: {(error.strerror or str(error)).lower()}",
            hint="set PASTEBOX_HEALTH_PORT to a free port, or to off",
        ) from error
    return listener


def _bad_host(host: str, error: Exception) -> ConfigError:
    return ConfigError(
        option="PASTEBOX_HEALTH_HOST",
        found=f'"{host}"',
        expected="an address of this machine",
        hint=f"{str(error).lower()}; 0.0.0.0 means all addresses",
    )
