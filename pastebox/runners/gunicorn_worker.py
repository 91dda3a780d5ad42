"""gunicorn's workers under the arbiter's orders: lame first, the backlog served, one deadline.

gunicorn gives its worker classes one signal for a graceful end, TERM. Here TERM and INT belong to
the master, which gets them too when they go to the whole group, and the arbiter sends USR2. It
sends it again and again until the worker has ended: one that came while the worker was being
forked is lost, and each later one lets the worker look at its clock.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import struct
import sys
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn.workers import gthread
from gunicorn.workers.sync import SyncWorker

from pastebox.observe.counters import Slot
from pastebox.observe.logs import reopen
from pastebox.runners.gunicorn_request import Contained, end_input, is_head_there, see_off
from pastebox.runners.last_bytes import unacknowledged

DRAIN_SIGNAL = signal.SIGUSR2
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
_FIRST_BYTE_S = 5.0
"""How long a new connection may be silent, beyond the keep-alive time."""


class Orders:
    """What the arbiter tells its workers, in memory that they share."""

    _STATE = struct.Struct("=d?")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._STATE.size)

    def tell(self, *, lame: bool, deadline: float) -> None:
        """Set both words; ``deadline`` is monotonic, 0 while there is no drain."""
        self._STATE.pack_into(self._memory, 0, deadline, lame)

    @property
    def lame(self) -> bool:
        """Whether every answer shall close its connection."""
        return bool(self._memory[8])

    @property
    def deadline(self) -> float:
        """When a drain must be over; 0 while there is none."""
        found: float = self._STATE.unpack_from(self._memory)[0]
        return found


class Guided:
    """What every worker class of gunicorn gets: our signals, our voice to the arbiter.

    The arbiter sets ``orders``, ``voice`` and ``slot`` before the fork.
    """

    orders: Orders
    voice: int
    slot: Slot
    slot_number: int
    alive: bool
    cfg: Any
    sockets: list[Any]
    booted: bool
    wsgi: Any
    drain_began = 0.0
    is_aborted = False  # by gunicorn's own timeout

    def load_wsgi(self) -> None:
        """Load the application, whose ``SystemExit`` shall end a request and not the worker."""
        super().load_wsgi()  # type: ignore[misc]  # gunicorn's, beside this class
        self.wsgi = Contained(self.wsgi, self)

    def handle_abort(self, number: int, frame: Any) -> None:
        """End by ``SystemExit``, as the arbiter's timeout wants it."""
        self.is_aborted = True
        super().handle_abort(number, frame)  # type: ignore[misc]  # as above

    def say(self, word: str) -> None:
        """Tell the arbiter; a line this short is written whole or not at all."""
        os.write(self.voice, f"{word} {os.getpid()}\n".encode())

    def init_signals(self) -> None:
        """Leave TERM and INT to the master, and take the arbiter's own."""
        super().init_signals()  # type: ignore[misc]  # gunicorn's, beside this class
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _pass_by)
        signal.signal(DRAIN_SIGNAL, self.handle_exit)
        signal.siginterrupt(DRAIN_SIGNAL, False)

    def handle_exit(self, number: int, frame: Any) -> None:
        """Begin to end, with what is left of the drain's time; while it loads, at once."""
        if not self.booted:
            sys.exit(0)
        deadline = self.orders.deadline
        if not self.drain_began:
            self.drain_began = time.monotonic()
            if deadline:
                self.cfg.settings["graceful_timeout"].value = max(0.0, deadline - self.drain_began)
        super().handle_exit(number, frame)  # type: ignore[misc]  # as above

    def handle_usr1(self, number: int, frame: Any) -> None:  # noqa: ARG002  # a signal handler
        """Open log files again."""
        reopen()

    @property
    def is_draining(self) -> bool:
        """Whether it ends because the server does, and not by ``max_requests``."""
        return bool(self.drain_began and self.orders.deadline)


def _pass_by(number: int, frame: Any) -> None:
    """Do nothing: the master gets this signal too, and gives the orders."""


class Sync(Guided, SyncWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The ``sync`` class: one connection at a time."""

    reading: socket.socket | None = None
    reading_since = 0.0

    def run(self) -> None:
        """Serve; then serve those who wait in the accept queue."""
        super().run()
        until = time.monotonic() + _HANDSHAKE_S
        while self.is_draining and time.monotonic() < self.orders.deadline:
            taken = [self._accept_one(listener) for listener in self.sockets]
            if not any(taken):
                if time.monotonic() >= until:
                    break
                time.sleep(_TICK_S / 5)
            self.notify()
        self.say("deaf")

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

    keepalived_conns: deque[Any]
    pending_conns: deque[Any]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reading: dict[Any, float] = {}  # connections whose head a thread waits for
        gthread.STOP_KEEPALIVE_LINGER = PROMISED_S

    def accept(self, listener: Any) -> None:
        """Take a connection into the poller: only a request whose head is there gets a thread."""
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
        """Before the end, serve those who wait in the accept queue."""
        if not enabled and not self.alive:
            if self.is_draining:
                self._empty_backlog()
            self.say("deaf")
        super().set_accept_enabled(enabled)

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
        if self.alive:
            super().wait_for_and_dispatch_events(timeout)
            return
        super().wait_for_and_dispatch_events(min(timeout, _TICK_S))
        now = time.monotonic()
        for conn, since in list(self.reading.items()):
            if now - max(since, self.drain_began) > _HEADER_GRACE_S:
                end_input(conn.sock)
        for conn in self.pending_conns:
            grace = _HEADER_GRACE_S if getattr(conn, "peeked", 0) else _WARM_GRACE_S
            if now - self.drain_began > grace:
                conn.timeout = min(conn.timeout, now)
        self.pending_conns = deque(sorted(self.pending_conns, key=lambda conn: conn.timeout))

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002  # gunicorn's signature
        """Close what is idle too long; a client that is still reading is not idle."""
        if not self.alive and not force:
            now = time.monotonic()
            for conn in self.keepalived_conns:
                if unacknowledged(conn.sock):
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


def _quiet_s(connection: socket.socket) -> float:
    """Return the seconds since the peer last took something (tcp_info.tcpi_last_ack_recv)."""
    try:
        facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 60)
    except OSError:  # a Unix socket
        return _WARM_S
    milliseconds: int = struct.unpack_from("I", facts, 56)[0]
    return milliseconds / 1000
