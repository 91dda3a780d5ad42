"""One connection: what is received goes to its wire, what is sent waits for the peer if it must.

Methods are for the I/O thread; :meth:`Connection.send` and :meth:`Connection.done` are for the
threads that run the application.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from pastebox.gateway.answer import GoneError
from pastebox.gateway.request import Octets, Request, Wire

if TYPE_CHECKING:
    from pastebox.gateway.server import Gateway

_HIGH = 1 << 20
"""Bytes that wait to be sent, from which on the application waits."""
_LOW = 1 << 18
_NOW = socket.MSG_DONTWAIT
"""Each call says that it does not wait: one system call less for each connection."""
_RESET = struct.pack("ii", 1, 0)


class _Closed:
    """The wire of a connection that is no more.

    A wire knows its connection; were both to know each other for ever, all that they hold would
    stay until the next collection of garbage.
    """

    is_midway = has_head = False

    def feed(self, data: bytes) -> None:
        """Take nothing."""

    def close(self) -> None:
        """Hold nothing."""


_CLOSED = _Closed()


class Connection:
    """A peer. ``wire`` is set by who makes it."""

    wire: Wire

    def __init__(self, gateway: Gateway, sock: socket.socket, address: Any) -> None:
        self.gateway = gateway
        self.sock = sock
        self.fd = sock.fileno()
        self.address = address
        self.lock = threading.Lock()
        self.running: set[Request] = set()
        self.pending: deque[memoryview] = deque()
        self.pending_size = 0
        self.events = 0  # what the poller reports of it; 0 when it does not know it
        self.is_gone = False  # nobody receives what is sent
        self.is_ended = False  # nothing will be received any more
        self.should_close = False  # once everything is sent
        self.is_closed = False
        self.lingers_until = 0.0  # monotonic; 0 when it does not linger
        self.last_activity = time.monotonic()
        self._room: threading.Condition | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is received, worked on or waiting to be sent."""
        return not (self.running or self.pending or self.wire.is_midway)

    @property
    def is_leaving(self) -> bool:
        """Whether no other request should follow."""
        return self.gateway.is_lame

    @property
    def peer(self) -> str:
        """The address of the other side, for the log."""
        return str(self.address[0]) if isinstance(self.address, tuple) else "unix"

    # -- for the wire --------------------------------------------------------------------------

    def begin(self, request: Request) -> None:
        """Have a request that is whole answered."""
        self.running.add(request)
        self.gateway.begin(self, request)

    def say(self, data: bytes) -> None:
        """Send something that belongs to no answer, from the I/O thread."""
        with self.lock:
            self._append(data)
        if self.pending_size > _HIGH:
            self.abort()  # it asks and asks, and reads no answer

    def finish(self) -> None:
        """Close when everything has been said."""
        self.should_close = True

    # -- for the threads of the application ----------------------------------------------------

    def send(self, data: Octets) -> None:
        """Send, or wait until there is room.

        Raises:
            GoneError: nobody receives it.
        """
        with self.lock:
            left = self._append(data)
            if not left:
                return
            if self.gateway.is_inline and left > _HIGH:
                self._send_all()
                return
            self.gateway.wake(self)
            while self.pending_size > _HIGH and not self.is_gone:
                if self._room is None:
                    self._room = threading.Condition(self.lock)
                self._room.wait()
            if self.is_gone:
                raise GoneError

    def _send_all(self) -> None:
        """Wait in the only thread there is until the peer has taken everything."""
        poller = select.poll()
        poller.register(self.fd, select.POLLOUT)
        patience_ms = self.gateway.limits.patience_s * 1000
        try:
            while self.pending:
                if not poller.poll(patience_ms):
                    raise TimeoutError
                self._send_pending()
        except OSError:
            self._doom()
            raise GoneError from None

    def _append(self, data: Octets) -> int:
        """Send what goes at once, keep the rest; return how much is kept."""
        if self.is_gone:
            raise GoneError
        sent = 0
        if not self.pending:
            try:
                sent = self.sock.send(data, _NOW)
            except BlockingIOError:
                pass
            except OSError:
                self.is_gone = self.should_close = True
                self.gateway.wake(self)
                raise GoneError from None
        self.last_activity = time.monotonic()
        if sent < len(data):
            self.pending.append(memoryview(data)[sent:])
            self.pending_size += len(data) - sent
        return self.pending_size

    def done(self, request: Request, *, is_whole: bool) -> None:
        """A request has been answered, or cannot be."""
        with self.lock:
            self.running.discard(request)
            request.is_answered = True
            if self.is_closed:
                return
            self.last_activity = time.monotonic()
            if not is_whole:
                self._break_off(request)
            elif not request.reply.keeps_open or self.is_leaving or self.is_ended:
                self.should_close = not self.running or self.should_close
            if not self.should_close:
                return
            if not self.events and not self.pending and not self.gateway.is_lame:
                self._close_here()
                return
        self.gateway.wake(self)

    def _break_off(self, request: Request) -> None:
        """Have the peer see that what came is not the whole: an end would look like one.

        A reset says so; a unix socket has none, so there the protocol is broken.
        """
        if self.sock.family == socket.AF_UNIX and not self.is_gone:
            with contextlib.suppress(GoneError):
                self._append(request.reply.breach())
                self.should_close = True
                return
        self._doom()

    def _close_here(self) -> None:
        """Close in the thread that answered: the poller has never heard of this connection."""
        self.is_closed = True
        self.sock.close()
        self.wire = _CLOSED
        self.gateway.connections.discard(self)

    def _doom(self) -> None:
        self.is_gone = self.should_close = True
        self.pending.clear()
        self.pending_size = 0
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._room is not None:
            self._room.notify_all()

    # -- for the I/O thread ----------------------------------------------------------------------

    def abort(self) -> None:
        """Give the connection up; threads that wait for it are told."""
        with self.lock:
            if not self.is_closed:
                self._doom()

    def flush(self) -> None:
        """Send what waits, as far as it goes."""
        with self.lock:
            if self.is_closed:
                return
            try:
                self._send_pending()
            except OSError:
                self._doom()
            if self._room is not None and self.pending_size <= _LOW:
                self._room.notify_all()

    def _send_pending(self) -> None:
        try:
            while self.pending:
                first = self.pending[0]
                sent = self.sock.send(first, _NOW)
                self.last_activity = time.monotonic()
                self.pending_size -= sent
                if sent < len(first):
                    self.pending[0] = first[sent:]
                    return
                self.pending.popleft()
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Close now; threads that still answer meet a peer that is gone."""
        with self.lock:
            if self.is_closed:
                return
            self.is_closed = self.is_gone = True
            self.pending.clear()
            self.pending_size = 0
            if self._room is not None:
                self._room.notify_all()
            self.sock.close()
        wire, self.wire = self.wire, _CLOSED
        wire.close()
