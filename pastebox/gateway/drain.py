"""The end of a server: the backlog served, answers whole to the last byte, one deadline.

An answer is over when the peer's kernel has it. A container's network ends with its last process,
and what is still in our send buffer ends with it: so a connection is shut down for writing first,
and closed when the peer closed, or when nothing is left unacknowledged.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from pastebox.process.last_bytes import LINGER_S, unacknowledged, unread
from pastebox.process.stacks import stack_of

if TYPE_CHECKING:
    from pastebox.gateway.connection import Connection
    from pastebox.gateway.request import Request
    from pastebox.gateway.server import Gateway

_log = logging.getLogger("pastebox.gateway")

_HANDSHAKE_S = 0.05
"""How long a handshake that has begun may take."""
_MOST_ROUNDS = 64
"""Acceptances at a time are bounded: while a reload drains, newcomers never end."""
_WARM_S = 1.0
"""A connection that was active this recently is likely to send its next request now."""
_WARM_GRACE_S = 0.25
"""How long it gets, from its last answer."""
_PROMISED_S = 1.0
"""How long one gets whose answer has ended in the drain, and had begun before without ``close``."""
_HEADER_GRACE_S = 1.0
"""How long a request may take to become one: bytes before the end of a header are no request."""


class Drain:
    """The last phase of a server's life."""

    tick_s = 0.02
    linger_s = LINGER_S

    def __init__(self, gateway: Gateway, seconds: float) -> None:
        self._gateway = gateway
        self._began = time.monotonic()
        self.deadline = self._began + seconds
        self.cut = 0
        self.is_over = False

    def hurry(self, seconds: float) -> None:
        """Move the deadline to ``seconds`` from now, if that is sooner."""
        self.deadline = min(self.deadline, time.monotonic() + seconds)

    def tick(self, now: float) -> None:
        """Look at every connection once; close those that owe nobody anything."""
        if self._gateway.door.listeners:
            self._accept(now)
        is_late = now >= self.deadline
        for connection in list(self._gateway.connections):
            if is_late:
                self._cut(connection)
            elif connection.lingers_until:
                if now >= connection.lingers_until and not unacknowledged(connection.sock):
                    self._gateway.close(connection)
            elif self._may_close(connection, now):
                self._gateway.close(connection)
        if is_late or not (self._gateway.connections or self._gateway.door.listeners):
            self.is_over = True

    def _accept(self, now: float) -> None:
        # Where newcomers were held, the next generation is there and takes them.
        is_held = self._gateway.door.is_held
        for listener in list(self._gateway.door.listeners.values()):
            for _ in range(0 if is_held else _MOST_ROUNDS):
                if not self._gateway.door.accept(listener):
                    break
        if is_held or now - self._began >= _HANDSHAKE_S:
            self._gateway.close_listeners()

    def _may_close(self, connection: Connection, now: float) -> bool:
        if connection.running or connection.pending or connection.should_close:
            return False
        if connection.wire.is_midway:
            return not connection.wire.has_head and now - self._began > _HEADER_GRACE_S
        if unacknowledged(connection.sock) or unread(connection.sock):
            # The next request has come since the poller was asked; or an answer in our kernel's
            # buffer is not read yet, and what follows it can be seconds away.
            connection.last_activity = now
            return False
        if self._began - connection.last_activity >= _WARM_S:
            return True
        if connection.last_activity > self._began:
            return now - connection.last_activity > _PROMISED_S
        return now - self._began > _WARM_GRACE_S

    def _cut(self, connection: Connection) -> None:
        """Give up on a connection at the deadline; count it if a request is lost by that."""
        unsent = connection.pending_size + unacknowledged(connection.sock)
        running = list(connection.running)
        is_upload = connection.wire.is_midway and connection.wire.has_head
        if not (running or unsent or is_upload):
            return
        self.cut += max(1, len(running))
        if not running:
            what = "upload" if is_upload else "request"
            _log.warning("%s cut off by the drain deadline unsent=%d", what, unsent)
        for request in running:
            self._tell(request, unsent)

    def _tell(self, request: Request, unsent: int) -> None:
        """Log a request that is cut off, and where its thread is, if it has got one."""
        now = time.monotonic()
        thread, since = next(
            (
                (thread, since)
                for thread, (one, since) in self._gateway.serving.copy().items()
                if one is request
            ),
            (0, now),
        )
        _log.warning(
            "request cut off by the drain deadline %s unsent=%d\n%s",
            request.running(thread, since).told(now),
            unsent,
            stack_of(thread) or "it waited for a thread",
        )
