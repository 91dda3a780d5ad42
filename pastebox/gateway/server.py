"""The server: one thread turns the poller, accepts, receives and sends what waits; a pool answers.

A connection is registered with the poller only while something is expected of it, so idle ones
cost nothing and a short SCGI exchange never meets the poller at all. Linux only (``epoll``).
"""

from __future__ import annotations

import functools
import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import get_ident
from typing import Any

from pastebox.gateway.answer import Answer, GoneError, WSGIApp, wsgi_keys
from pastebox.gateway.connection import Connection
from pastebox.gateway.door import Door
from pastebox.gateway.drain import Drain
from pastebox.gateway.environ import mend
from pastebox.gateway.limits import Limits
from pastebox.gateway.pool import Nobody, Pool, Workers
from pastebox.gateway.request import Request
from pastebox.gateway.sparing import Sparing
from pastebox.gateway.traits import Finished, Observer, Traits
from pastebox.health.http import ProtocolError
from pastebox.process.stacks import Running

_log = logging.getLogger("pastebox.gateway")

_IN, _OUT, _GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLERR | select.EPOLLHUP
_RECEIVED_AT_ONCE = 1 << 16
_NOW = socket.MSG_DONTWAIT
_MAINTENANCE_S = 1.0
_FIRST_MS = 2
"""How long a process with one thread waits for the first bytes of a newcomer."""


class Gateway:
    """Everything of one process: poller, listeners, connections, threads."""

    def __init__(
        self,
        app: WSGIApp,
        sockets: Sequence[socket.socket],
        traits: Traits,
        limits: Limits,
        observer: Observer,
    ) -> None:
        self.limits = limits
        self.traits = traits
        self.observer = observer
        self.notes = Sparing(_log)
        self._room = memoryview(bytearray(_RECEIVED_AT_ONCE))  # a new one each time splits the heap
        self.connections: set[Connection] = set()
        self.is_lame = False
        self.drain: Drain | None = None
        self.serving: dict[int, tuple[Request, float]] = {}  # by thread, since when
        self._app = app
        self._keys = wsgi_keys(
            is_multithread=traits.is_multithread, is_multiprocess=traits.is_multiprocess
        )
        self.is_inline = not limits.max_threads
        self._pool: Workers = Nobody() if self.is_inline else Pool(limits)
        self._poller = select.epoll()
        self._known: dict[int, Connection] = {}
        self._watched: dict[int, Callable[[], None]] = {}
        self._changed: deque[Connection] = deque()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_woken = self._has_waiting = False
        self._next_maintenance = self._next_tick = 0.0
        self._poller.register(self._wake_read, _IN)
        self.door = Door(self, self._poller, sockets)
        self.hold = self.door.hold

    # -- what other threads may call -------------------------------------------------------------

    def wake(self, connection: Connection | None = None) -> None:
        """Have the I/O thread look at a connection again."""
        if connection is not None:
            self._changed.append(connection)
        if not self._is_woken:
            self._is_woken = True
            os.write(self._wake_write, b"x")

    def running(self) -> list[Running]:
        """Return the requests that threads work on."""
        return [
            request.running(thread, since)
            for thread, (request, since) in self.serving.copy().items()
        ]

    # -- the I/O thread ----------------------------------------------------------------------------

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Have ``callback`` called whenever ``descriptor`` is readable."""
        self._watched[descriptor] = callback
        self._poller.register(descriptor, _IN)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor."""
        if self._watched.pop(descriptor, None) is not None:
            self._poller.unregister(descriptor)

    def run(self) -> int:
        """Serve until drained; return the number of requests that the deadline cut off."""
        while self.drain is None or not self.drain.is_over:
            self._step()
        self.observer.ended()
        return self.drain.cut

    def become_lame(self) -> None:
        """Close each connection after its answer from now on, but go on accepting."""
        self.is_lame = True

    def leave(self, seconds: float) -> None:
        """End within ``seconds``, and leave those who wait to be accepted to other processes."""
        self.start_drain(seconds)
        self.close_listeners()

    def start_drain(self, seconds: float) -> None:
        """Stop accepting and end within ``seconds``; a second call can only make it sooner."""
        self.is_lame = True
        if self.drain is None:
            self.drain = Drain(self, seconds)
        else:
            self.drain.hurry(seconds)

    def _step(self) -> None:
        events = self._poller.poll(self._timeout())
        for descriptor, event in events:
            if descriptor not in self.door.listeners:
                self._dispatch(descriptor, event)
        for descriptor, _ in events:
            is_deaf = self.is_inline and self._has_waiting  # others take the next
            if descriptor in self.door.listeners and self.door.is_open and not is_deaf:
                self.door.accept(self.door.listeners[descriptor])
        now = time.monotonic()
        if self._has_waiting:
            self._has_waiting = self._pool.tend(now)
        self._next_tick = now + self.observer.tick(now)
        if now >= self._next_maintenance:
            self._next_maintenance = now + _MAINTENANCE_S
            self._maintain(now)
        self.door.tend(now)
        if self.drain is not None:
            self.drain.tick(now)

    def _timeout(self) -> float:
        if self._has_waiting:
            return self._pool.patience_s
        if self.drain is not None:
            return self.drain.tick_s
        if not self.door.is_open:
            return self.door.pause_s
        until = self._next_tick
        if self.connections:
            until = min(until, self._next_maintenance)
        return max(0.0, until - time.monotonic())

    def _dispatch(self, descriptor: int, event: int) -> None:
        connection = self._known.get(descriptor)
        if connection is not None:
            self._connection_event(connection, event)
        elif descriptor == self._wake_read:
            # Read, lower the flag, look: see waitress_loop for why in this order.
            os.read(descriptor, 64)
            self._is_woken = False
            while self._changed:
                self.review(self._changed.popleft())
        elif descriptor in self._watched:
            self._watched[descriptor]()

    # -- connections -------------------------------------------------------------------------------

    def _connection_event(self, connection: Connection, event: int) -> None:
        if event & _OUT:
            connection.flush()
        if event & (_IN | _GONE):
            self.receive(connection)
        self.review(connection)

    def receive(self, connection: Connection) -> None:
        """Take what has come, once."""
        try:
            data = bytes(self._room[: connection.sock.recv_into(self._room, 0, _NOW)])
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            connection.abort()
            return
        if not data:
            self._at_end(connection)
            return
        connection.last_activity = time.monotonic()
        if connection.lingers_until:
            return  # it has had its answer
        try:
            connection.wire.feed(data)
            if connection.wire.is_midway and connection.sock.family != socket.AF_UNIX:
                # A front end with Nagle's algorithm sends the rest of a piece after our
                # acknowledgement, which would be 40 ms late (lighttpd's AJP: for each 8 KB).
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except GoneError:
            connection.abort()
        except ProtocolError as error:
            self.notes.say(logging.WARNING, "connection closed: %s peer=%s", error, connection.peer)
            connection.abort()
        except OSError as error:  # no room for a body
            self.notes.say(logging.ERROR, "request dropped: %s", error)
            connection.abort()

    def _at_end(self, connection: Connection) -> None:
        """The peer sends no more; it may still want the answers under way."""
        connection.is_ended = True
        if connection.wire.is_midway:
            self.notes.say(logging.INFO, "client went away in its request peer=%s", connection.peer)
            connection.abort()
        elif not connection.running:
            connection.should_close = True

    def review(self, connection: Connection) -> None:
        """Bring the poller's view of a connection up to date, and close it when it is through."""
        with connection.lock:
            if connection.is_closed:
                return
            is_through = connection.should_close and not connection.pending
            if not is_through:
                wanted = 0 if connection.is_ended else _IN
                self._register(connection, wanted | (_OUT if connection.pending else 0))
                return
        if connection.is_gone or connection.is_ended or not self._linger(connection):
            self.close(connection)

    def _linger(self, connection: Connection) -> bool:
        """Shut down for writing and wait for the peer to close; false when that is impossible."""
        if connection.running or connection.lingers_until:
            return True
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        connection.lingers_until = time.monotonic() + Drain.linger_s
        with connection.lock:
            self._register(connection, _IN)
        return True

    def _register(self, connection: Connection, events: int) -> None:
        if events == connection.events:
            return
        if not connection.events:
            self._poller.register(connection.fd, events)
            self._known[connection.fd] = connection
        elif not events:
            self._poller.unregister(connection.fd)
            del self._known[connection.fd]
        else:
            self._poller.modify(connection.fd, events)
        connection.events = events

    def close(self, connection: Connection) -> None:
        """Close a connection now."""
        with connection.lock:
            if not connection.is_closed:
                self._register(connection, 0)
        connection.close()
        self.connections.discard(connection)

    def begin(self, connection: Connection, request: Request) -> None:
        """Give a request that is whole to a thread."""
        self.observer.started()
        self._has_waiting = True
        self._pool.add(functools.partial(self._serve, connection, request))

    def _serve(self, connection: Connection, request: Request) -> None:
        """Answer one request, in a thread of the pool."""
        began, since = time.time(), time.monotonic()
        self.serving[get_ident()] = (request, since)
        answer = Answer(request, connection)
        try:
            if request.refusal:
                answer.refuse(request.refusal)
            else:
                answer.run(self._app, self._environ(request))
            if answer.is_unwanted:
                path = request.environ.get("PATH_INFO")
                self.notes.say(logging.INFO, "client went away path=%s", path)
        finally:
            request.body.close()
            del self.serving[get_ident()]
            connection.done(request, is_whole=answer.is_whole)
            seconds = time.monotonic() - since
            self.observer.finished(
                Finished(request.environ, answer.status, answer.size, began, seconds)
            )

    def _environ(self, request: Request) -> dict[str, Any]:
        environ = mend(request.environ, script_name=self.traits.script_name)
        environ.update(self._keys)
        environ["wsgi.input"] = request.body.opened()
        return environ

    def welcome(self, sock: socket.socket, address: Any) -> None:
        """Take a connection, and what it has sent already."""
        if sock.family != socket.AF_UNIX and not self.traits.may_talk(str(address[0])):
            self.notes.say(
                logging.WARNING, "connection refused: not an allowed peer peer=%s", address[0]
            )
            sock.close()
            return
        if sock.gettimeout():
            sock.setblocking(False)  # an application has said socket.setdefaulttimeout
        connection = Connection(self, sock, address)
        connection.wire = self.traits.make_wire(connection)
        self.connections.add(connection)
        self.receive(connection)
        if self.is_inline and not (connection.running or connection.wire.is_midway):
            # It is about to: with a second one as well, one of the two would wait for the other.
            first = select.poll()
            first.register(sock, select.POLLIN)
            if first.poll(_FIRST_MS):
                self.receive(connection)
        running = connection.running
        is_short = running and not any(request.reply.keeps_open for request in running.copy())
        if not is_short or connection.pending or connection.should_close or self.is_lame:
            self.review(connection)

    def close_listeners(self) -> None:
        """Accept nothing any more."""
        if self.door.listeners:
            self.door.close()
            self.observer.stopping()

    def _maintain(self, now: float) -> None:
        """Give up those who are silent in the middle of a request or of an answer."""
        self.notes.tick()
        before = now - self.limits.patience_s
        for connection in list(self.connections):
            if connection.lingers_until and now >= connection.lingers_until:
                self.close(connection)
            elif connection.last_activity < before and (
                connection.wire.is_midway or connection.pending
            ):
                self.notes.say(logging.WARNING, "connection closed: slow peer=%s", connection.peer)
                connection.abort()
                self.close(connection)
