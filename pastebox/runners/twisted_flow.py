"""Twisted's WSGI without its waits: a part of an answer is handed over, not waited for.

Twisted has the application's thread wait for the reactor at each part, and takes all that the
application yields into memory. Here the thread goes on, as long as the reactor keeps up with it
and the client takes what there is.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.web.server import NOT_DONE_YET
from twisted.web.wsgi import WSGIResource, _WSGIResponse

from pastebox.config.model import WSGIApp

log = logging.getLogger("pastebox.worker")
reactor: Any = default_reactor

_PATIENCE_S = 60.0
"""How long a client may take nothing at all."""
_AHEAD = 1 << 16
"""Bytes that a thread may be ahead of the reactor."""
_ITS_OWN = ("server", "date")
"""Headers that Twisted sends itself."""


class Flow:
    """Whether a connection has room for more."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._has_room = threading.Event()
        self._has_room.set()
        self._lock = threading.Lock()
        self._ahead = 0
        self._is_taken = threading.Event()
        self._is_taken.set()

    def pause(self) -> None:
        """Have threads wait; called by the reactor's."""
        self._has_room.clear()

    def resume(self) -> None:
        """Let them go on: there is room, or nobody to send to."""
        self._has_room.set()

    def hand_over(self, size: int) -> None:
        """Say that so many bytes are on their way to the reactor; by a thread."""
        with self._lock:
            self._ahead += size
            if self._ahead > _AHEAD:
                self._is_taken.clear()

    def take(self, size: int) -> None:
        """Say that they have arrived; by the reactor's."""
        with self._lock:
            self._ahead -= size
            if self._ahead <= _AHEAD:
                self._is_taken.set()

    def wait(self) -> None:
        """Wait for room, in a thread of the application; cut off a client that takes nothing."""
        self._is_taken.wait()
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


class Answer(_WSGIResponse):  # type: ignore[misc]  # Twisted's own types are skipped
    """One request's answer, made in a thread of the application."""

    started: bool

    def __init__(self, pool: Any, app: WSGIApp, request: Any) -> None:
        super().__init__(reactor, pool, app, request)
        self._flow = request.channel.flow

    def write(self, data: bytes) -> None:
        """Hand a part over, and wait where the client is slower."""
        head = None if self.started else self._head()
        self.started = True
        self._flow.hand_over(len(data))
        reactor.callFromThread(self._send, head, data)
        self._flow.wait()

    def _head(self) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        """Return status and headers as bytes; what is wrong with them is the application's."""
        code, reason = self.status.split(None, 1)
        fields = [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in self.headers
            if name.lower() not in _ITS_OWN
        ]
        return int(code), reason.encode("latin-1"), fields

    def _send(self, head: tuple[int, bytes, list[tuple[bytes, bytes]]] | None, data: bytes) -> None:
        """Send a part, in the reactor's thread."""
        self._flow.take(len(data))
        if self._requestFinished:  # its client has left
            return
        if head is not None:
            code, reason, fields = head
            self.request.setResponseCode(code, reason)
            for name, value in fields:
                self.request.responseHeaders.addRawHeader(name, value)
        self.request.write(data)


class PacedResource(WSGIResource):  # type: ignore[misc]  # as above
    """An application whose answers are made as fast as their clients take them."""

    def __init__(self, pool: Any, app: WSGIApp) -> None:
        super().__init__(reactor, pool, app)
        self._parts = (pool, app)

    def render(self, request: Any) -> Any:
        """Start the application for one request."""
        Answer(*self._parts, request).start()
        return NOT_DONE_YET
