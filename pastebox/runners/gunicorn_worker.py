"""gunicorn's workers under the arbiter's orders: lame first, the backlog served, one deadline."""

from __future__ import annotations

import errno
import signal
import socket
import struct
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn.workers import gthread
from gunicorn.workers.sync import SyncWorker

from pastebox.process.last_bytes import unacknowledged, unread
from pastebox.runners.gunicorn_guided import DRAIN_SIGNAL, Guided
from pastebox.runners.gunicorn_request import end_input, is_head_there, see_off
from pastebox.runners.gunicorn_threads import Threads

_HANDSHAKE_S = 0.05
"""How long a handshake that has begun when the master refuses newcomers may take."""
_WARM_S = 1.0
"""A connection that was active this recently is likely to send its next request now."""
_WARM_GRACE_S = 0.25
"""How long it gets."""
PROMISED_S = 1.0
"""How long a connection gets whose answer has ended in the drain and begun before it."""
_HEADER_GRACE_S = 0.4
"""How long a connection may take to send the head of its first request during a drain."""
_LAST_ANSWER_S = 2.0
"""How long the last answer of a connection may take to arrive, while there is no drain."""
_TICK_S = 0.05
_HELD_TICK_S = 0.01
"""How often a worker that holds newcomers looks whether it shall take them after all."""
_FIRST_BYTE_S = 5.0
"""How long a new connection may be silent, beyond the keep-alive time."""


class Sync(Guided, SyncWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The ``sync`` class: one connection at a time."""

    reading: socket.socket | None = None
    reading_since = 0.0

    def run(self) -> None:
        """Serve; then serve those who wait in the accept queue."""
        super().run()
        until = time.monotonic() + _HANDSHAKE_S
        while self.takes_backlog and time.monotonic() < self.orders.deadline:
            taken = [self._accept_one(listener) for listener in self.sockets]
            if not any(taken):
                if time.monotonic() >= until:
                    break
                time.sleep(_TICK_S / 5)
            self.notify()
        self.say("deaf")

    def accept(self, listener: Any) -> None:
        """Serve a newcomer, unless the next generation is to have him.

        Raises:
            BlockingIOError: nobody is taken.
        """
        if self.orders.held:
            raise BlockingIOError(errno.EAGAIN, "held")
        super().accept(listener)

    def wait(self, timeout: float) -> Any:
        """Wait for newcomers; while they are held, for the word to take them."""
        if not self.orders.held:
            return super().wait(timeout)
        self.notify()
        time.sleep(_HELD_TICK_S)
        return None

    def _accept_one(self, listener: Any) -> bool:
        try:
            self.accept(listener)
        except (BlockingIOError, ConnectionError):
            return False
        return True

    def handle(self, listener: Any, client: socket.socket, address: Any) -> None:
        """Serve one connection; a signal may end the wait for its request."""
        self.reading_since = time.monotonic()
        self.reading = client
        signal.siginterrupt(DRAIN_SIGNAL, True)
        try:
            super().handle(listener, client, address)
        finally:
            self.reading = None

    def handle_request(self, listener: Any, request: Any, client: Any, address: Any) -> None:
        """Run the application, whose system calls no signal of ours interrupts."""
        self.reading = None
        signal.siginterrupt(DRAIN_SIGNAL, False)
        super().handle_request(listener, request, client, address)

    def handle_exit(self, number: int, frame: Any) -> None:
        """Begin to end; whoever keeps us waiting for his request is let go after a moment."""
        super().handle_exit(number, frame)
        began = max(self.drain_began, self.reading_since)
        if self.reading is not None and time.monotonic() - began > _HEADER_GRACE_S:
            end_input(self.reading)


class Threaded(Guided, gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The ``gthread`` class: threads, and keep-alive connections that wait in its poller."""

    tpool: Threads
    keepalived_conns: deque[Any]
    pending_conns: deque[Any]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reading: dict[Any, float] = {}  # connections whose head a thread waits for
        gthread.STOP_KEEPALIVE_LINGER = PROMISED_S

    def get_thread_pool(self) -> Threads:
        """Return threads that do not fight for the interpreter."""
        return Threads(self.cfg.threads)

    def accept(self, listener: Any) -> None:
        """Take a connection into the poller: only a request whose head is there gets a thread."""
        if self.orders.held:
            super().set_accept_enabled(False)
            return
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        self.nr_conns += 1
        self._await_head(gthread.TConn(self.cfg, client, address, listener.getsockname()))

    def _await_head(self, conn: Any) -> None:
        conn.timeout = time.monotonic() + _FIRST_BYTE_S + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(
            conn.sock, gthread.selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn)
        )

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Give a connection a thread when the head of its request is there."""
        if is_head_there(conn, self.cfg):
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        """Do so with a connection that is kept open, which may send its head in parts as well."""
        if is_head_there(conn, self.cfg):
            super().on_client_socket_readable(conn, client)
        else:
            self.poller.unregister(client)
            self.keepalived_conns.remove(conn)
            self._await_head(conn)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001  # gunicorn's signature
        """Before the end, serve those who wait in the accept queue; while held, nobody."""
        if not enabled and not self.alive:
            if self.takes_backlog:
                self._empty_backlog()
            self.say("deaf")
        super().set_accept_enabled(enabled and not self.orders.held)

    def _empty_backlog(self) -> None:
        until = time.monotonic() + _HANDSHAKE_S
        while time.monotonic() < until:
            before = self.nr_conns
            for listener in self.sockets:
                self.accept(listener)
            if self.nr_conns == before:
                time.sleep(_TICK_S / 5)

    def handle(self, conn: Any) -> Any:
        """Serve one request in a thread; until its head is read, it is not yet a request.

        The thread also waits until the client has a last answer: gunicorn would do it in the
        loop, and hold up everybody else.
        """
        self.reading[conn] = time.monotonic()
        try:
            goes_on = super().handle(conn)
        finally:
            self.reading.pop(conn, None)
        if not goes_on:
            see_off(conn.sock, self.orders.deadline or time.monotonic() + _LAST_ANSWER_S)
        return goes_on

    def handle_request(self, request: Any, conn: Any) -> Any:
        """Run the application."""
        self.reading.pop(conn, None)
        return super().handle_request(request, conn)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait; while draining, not for long, and let go of those who send nothing."""
        if not self.alive:
            timeout = min(timeout, _TICK_S)
        if self.orders.held:
            timeout = min(timeout, _HELD_TICK_S)
        super().wait_for_and_dispatch_events(self.tpool.timeout(timeout))
        self.tpool.hand_over()
        if self.alive:
            return
        now = time.monotonic()
        began = self.ending_since()
        for conn, since in list(self.reading.items()):
            if now - max(since, began) > _HEADER_GRACE_S:
                end_input(conn.sock)
        for conn in self.pending_conns:
            grace = _HEADER_GRACE_S if getattr(conn, "peeked", 0) else _WARM_GRACE_S
            if now - began > grace:
                conn.timeout = min(conn.timeout, now)
        self.pending_conns = deque(sorted(self.pending_conns, key=lambda conn: conn.timeout))

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002  # gunicorn's signature
        """Close what is idle too long; a client that is still reading is not idle."""
        if not self.alive and not force:
            now = time.monotonic()
            for conn in self.keepalived_conns:
                if unacknowledged(conn.sock) or unread(conn.sock):  # asked since the last look
                    conn.timeout = now + PROMISED_S
            by_timeout = sorted(self.keepalived_conns, key=lambda conn: conn.timeout)
            self.keepalived_conns = deque(by_timeout)
        super().murder_keepalived(force)

    def _cap_keepalive(self, deadline: float) -> None:  # noqa: ARG002  # gunicorn's signature
        """Close cold connections at once, and give warm ones a moment."""
        now = time.monotonic()
        for conn in self.keepalived_conns:
            is_old = conn.timeout - self.cfg.keepalive < now - _WARM_S
            is_cold = is_old and _quiet_s(conn.sock) >= _WARM_S
            conn.timeout = now if is_cold else min(conn.timeout, now + _WARM_GRACE_S)


def guided(worker_class: type) -> type:
    """Return our kind of a worker class of gunicorn."""
    if worker_class is SyncWorker:
        return Sync
    if worker_class is gthread.ThreadWorker:
        return Threaded
    if worker_class.__module__ == "gunicorn.workers.ggevent":
        from pastebox.runners.gunicorn_gevent import green  # noqa: PLC0415  # imports gevent

        return green(worker_class)
    return type(worker_class.__name__, (Guided, worker_class), {})


def slots_of(config: Any) -> int:
    """Return how many requests a worker of gunicorn's can run at a time."""
    worker_class = config.worker_class
    if issubclass(worker_class, SyncWorker):
        return 1
    is_threaded = issubclass(worker_class, gthread.ThreadWorker)
    slots: int = config.threads if is_threaded else config.worker_connections
    return slots


def _quiet_s(connection: socket.socket) -> float:
    """Return the seconds since the peer last took something (tcp_info.tcpi_last_ack_recv)."""
    try:
        facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)
    except OSError:  # a Unix socket
        return _WARM_S
    milliseconds: int = struct.unpack_from("I", facts, 56)[0]
    return milliseconds / 1000
