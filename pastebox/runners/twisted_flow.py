"""Back-pressure for Twisted's WSGI: it takes all that an application yields into memory.

Its transport says when there is room; here the application's thread waits for that.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.web.wsgi import WSGIResource

from pastebox.config.model import WSGIApp

log = logging.getLogger("pastebox.worker")
reactor: Any = default_reactor

_PATIENCE_S = 60.0
"""How long a client may take nothing at all."""


class Flow:
    """Whether a connection has room for more."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._has_room = threading.Event()
        self._has_room.set()

    def pause(self) -> None:
        """Have threads wait; called by the reactor's."""
        self._has_room.clear()

    def resume(self) -> None:
        """Let them go on: there is room, or nobody to send to."""
        self._has_room.set()

    def wait(self) -> None:
        """Wait for room, in a thread of the application; cut off a client that takes nothing."""
        if self._has_room.is_set():
            return
        before = self._progress()
        while not self._has_room.wait(_PATIENCE_S):
            now = self._progress()
            if now == before:
                log.warning("connection closed: too slow peer=%s", self._transport.getPeer().host)
                reactor.callFromThread(self._transport.abortConnection)
                return
            before = now

    def _progress(self) -> tuple[int, int]:
        return len(self._transport.dataBuffer), self._transport.offset


class PacedResource(WSGIResource):  # type: ignore[misc]  # Twisted's own types are skipped
    """An application whose answers are made as fast as their clients take them."""

    def __init__(self, pool: Any, app: WSGIApp) -> None:
        super().__init__(reactor, pool, app)
        self._parts = (pool, app)

    def render(self, request: Any) -> Any:
        """Start the application for one request."""
        pool, app = self._parts
        paced = _Paced(app, request.channel.flow.wait)
        return WSGIResource(reactor, pool, paced).render(request)


class _Paced:
    """The application of one request; it is its own answer."""

    def __init__(self, app: WSGIApp, wait: Callable[[], None]) -> None:
        self._app = app
        self._wait = wait
        self._result: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> _Paced:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            write = start_response(status, headers, exc_info)

            def write_and_wait(data: bytes) -> None:
                write(data)
                self._wait()

            return write_and_wait

        self._result = self._app(environ, start)
        return self

    def __iter__(self) -> Iterator[bytes]:
        for part in self._result:
            yield part
            self._wait()

    def close(self) -> None:
        close = getattr(self._result, "close", None)
        if close is not None:
            close()
