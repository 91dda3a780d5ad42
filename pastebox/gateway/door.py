"""Where connections come in: the listening sockets, the limit of connections, pauses."""

from __future__ import annotations

import errno
import logging
import select
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pastebox.gateway.connection import Connection
    from pastebox.gateway.server import Gateway

_log = logging.getLogger("pastebox.gateway")

_ACCEPTED_AT_ONCE = 64
_COMPLAINT_S = 10.0
"""How often the same lack of room is logged."""
_EVICTABLE_S = 1.0
"""A connection that was active, or made, this recently is likely to have a request under way."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Door:
    """The listeners of a gateway; used by its I/O thread only."""

    pause_s = 0.1

    def __init__(
        self, gateway: Gateway, poller: select.epoll, sockets: Sequence[socket.socket]
    ) -> None:
        self.listeners = {sock.fileno(): sock for sock in sockets}
        self.is_open = True
        self.is_held = False
        self._gateway = gateway
        self._poller = poller
        self._opens_again_at = self._complains_again_at = 0.0
        for sock in sockets:
            sock.setblocking(False)
            if sock.family != socket.AF_UNIX:  # connections inherit it
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listen()

    def accept(self, listener: socket.socket) -> int:
        """Take connections that wait, and what they have sent already; return how many."""
        gateway = self._gateway
        # While it runs a request, a process with one thread is deaf: others take the next.
        most = 1 if gateway.is_inline else _ACCEPTED_AT_ONCE
        for number in range(most):
            if len(gateway.connections) >= gateway.limits.connections and not self._make_room():
                self._pause("all connections are busy", f"limit={gateway.limits.connections}")
                return number
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return number
            except OSError as error:
                # The listener stays readable: without a pause this would be a busy loop.
                if error.errno in _NO_DESCRIPTORS:
                    self._make_room()
                self._pause("accept failed", f"error={error.strerror}")
                return number
            gateway.welcome(sock, address)
        return most

    def tend(self, now: float) -> None:
        """Open again after a pause."""
        if not self.is_open and not self.is_held and now >= self._opens_again_at:
            self.is_open = True
            self._listen()

    def close(self) -> None:
        """Accept nothing any more."""
        for number, listener in self.listeners.items():
            if self.is_open:
                self._poller.unregister(number)
            listener.close()
        self.is_open = True
        self.listeners = {}

    def _listen(self) -> None:
        # A newcomer wakes every process that is idle. Were it one only, that one could begin with
        # another request at the same moment, and the newcomer would wait beside idle processes.
        for number in self.listeners:
            self._poller.register(number, select.EPOLLIN)

    def _pause(self, reason: str, fact: str) -> None:
        """Leave newcomers in the kernel's queue for a moment."""
        now = time.monotonic()
        self._opens_again_at = now + self.pause_s
        if self._shut() and now >= self._complains_again_at:
            self._complains_again_at = now + _COMPLAINT_S
            _log.warning("not accepting: %s %s", reason, fact)

    def hold(self, *, is_held: bool) -> None:
        """Leave newcomers to others who have the same listeners, and close what is idle."""
        self.is_held = is_held and self._gateway.drain is None
        if self.is_held:
            self._shut()
            for one in self._idle():
                self._gateway.close(one)

    def _make_room(self) -> bool:
        """Close the connections that have been idle longest; false if none is idle."""
        if self._gateway.drain is not None:
            return True  # a drain takes everybody who waits
        idle = self._idle()
        idle.sort(key=lambda one: one.last_activity)
        for one in idle[: max(1, self._gateway.limits.connections // 50)]:
            self._gateway.close(one)
        return bool(idle)

    def _idle(self) -> list[Connection]:
        """Return connections that are idle, and not for this moment only."""
        before = time.monotonic() - _EVICTABLE_S
        everybody = list(self._gateway.connections)  # threads close some meanwhile
        return [one for one in everybody if one.is_idle and one.last_activity < before]

    def _shut(self) -> bool:
        """Leave newcomers in the kernel's queue; false if they are left there already."""
        was_open, self.is_open = self.is_open, False
        for number in self.listeners if was_open else ():
            self._poller.unregister(number)
        return was_open
