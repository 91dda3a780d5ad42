"""The loop of a server that blocks: it accepts and waits, threads converse, and it ends well.

A connection takes a thread only while it has a whole request header to serve, so that neither
idle connections nor slow senders of headers keep others waiting. What is said on it (cheroot,
wsgiref) is the business of a :class:`Conversation`. Linux only: it stands on ``epoll``.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence

from pastebox.gateway.sparing import Sparing
from pastebox.runners.connections import Address, connection_limit
from pastebox.runners.context import WorkerContext
from pastebox.runners.middleware import Accounted
from pastebox.runners.obedience import HEARTBEAT_S, Orders
from pastebox.runners.threaded_drain import Drain, see_off_some
from pastebox.runners.threaded_peer import (
    ARMED,
    CLOSED,
    LINGERING,
    WAITING,
    WORKING,
    Conversation,
    Peer,
)
from pastebox.runners.threaded_pool import Pool
from pastebox.runners.threaded_serving import Serving

log = logging.getLogger("pastebox.worker")

_ACCEPTED_AT_ONCE = 32
_HEAD = 1 << 16
"""A header longer than this goes to the server, which refuses it."""
_END = b"\r\n\r\n"
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.1
_LOG_DELAY_S = 0.1
_EVICTABLE_S = 1.0
"""A connection that was active, or made, this recently is likely to have a request under way."""


class ThreadedLoop:
    """Everything of one worker; ``run`` it in the main thread.

    Args:
        sockets: bound, listening, not blocking.
        context: the worker's side of the contract.
        converse: makes the conversation of a new connection with a client's address, in the
            thread that serves it.
        threads: how many requests are served at a time.
        timeout_s: for a header, between two requests, and for each read and write.
        sees_header: whether a header can be recognised before it is read; not within TLS.
        accounted: the application, whose requests it knows and logs.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
        converse: Callable[[socket.socket, Address, ThreadedLoop], Conversation],
        *,
        threads: int,
        timeout_s: float,
        sees_header: bool,
        accounted: Accounted,
    ) -> None:
        self.context = context
        self.is_lame = False
        self.complaints = Sparing(log)
        self.drain: Drain | None = None
        self.peers: dict[int, Peer] = {}
        self.listeners = list(sockets)
        for listener in sockets:
            if listener.family != socket.AF_UNIX:  # connections have it from their listener
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lock = threading.Lock()
        self.converse = converse
        self.timeout_s = timeout_s
        self._sees_header = sees_header
        self._head = bytearray(_HEAD if sees_header else 1)
        self._lines = accounted.lines
        self.running = accounted.running
        self._limit = connection_limit()
        self._orders = Orders(context, self)
        self.poller = select.epoll()
        self._is_accepting = self.is_held = False
        self._accepts_again_at = self._next_heartbeat = self._next_sweep = 0.0
        self._complains_again_at = 0.0
        self.poller.register(self._orders.fileno(), select.EPOLLIN)
        self._pool = Pool(Serving(self), threads)

    def run(self) -> int:
        """Serve until drained; return the number of requests that the deadline cut off."""
        self._accept_again()
        while self.drain is None or not self.drain.is_over:
            self._step()
        if self._lines is not None:
            self._lines.write()
        return self.drain.cut

    # -- orders --------------------------------------------------------------------------------

    def become_lame(self) -> None:
        """Say ``Connection: close`` from now on."""
        self.is_lame = True

    def hold(self, *, is_held: bool) -> None:
        """Leave newcomers to the next generation, and close what was opened ahead of a request."""
        self.is_held = is_held and self.drain is None
        if self.is_held:
            self._stop_accepting()
            for peer in self._evictable():
                self.close(peer)

    def start_drain(self, seconds: float) -> None:
        """Stop accepting and end within ``seconds``; a second call can only make it sooner."""
        self.is_lame = True
        if self.drain is None:
            self.drain = Drain(self, seconds)
        else:
            self.drain.hurry(seconds)

    # -- the loop ------------------------------------------------------------------------------

    def _step(self) -> None:
        for descriptor, event in self.poller.poll(self._pool.timeout(self._timeout())):
            if descriptor == self._orders.fileno():
                if not self._orders.take():
                    self.poller.unregister(descriptor)
            elif (peer := self.peers.get(descriptor)) is not None:
                self._look_at(peer, is_ended=bool(event & select.EPOLLRDHUP))
            else:
                self.accept()
        self._pool.hand_over()
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            self.context.notify.send(WATCHDOG=1)
        if not self._is_accepting and self.drain is None and now >= self._accepts_again_at:
            self._accept_again()
        if now >= self._next_sweep:
            self._next_sweep = now + min(1.0, self.timeout_s)
            self._sweep(now)
        if self.drain is not None:
            self.drain.tick()
        if self._lines:
            self._lines.write()

    def _timeout(self) -> float:
        if self.drain is not None:
            return self.drain.tick_s
        if self._lines is not None or not self._is_accepting:
            # A line of the access log does not wake the loop, which would cost every request.
            return _LOG_DELAY_S if self.peers or not self._is_accepting else 1.0
        return 1.0

    def accept(self) -> int:
        """Take newcomers, within the limit; return how many."""
        taken = 0
        for listener in self.listeners:
            for _ in range(_ACCEPTED_AT_ONCE):
                if self.drain is None and len(self.peers) >= self._limit and not self._evict():
                    self._pause("all connections are busy", f"limit={self._limit}")
                    return taken
                try:
                    connection, address = listener.accept()
                except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                    break
                except OSError as error:
                    if error.errno not in _NO_DESCRIPTORS:
                        raise
                    self._evict()
                    self._pause("out of resources", f"error={error.strerror}")
                    return taken
                taken += 1
                self._take(connection, address)
        return taken

    def _take(self, connection: socket.socket, address: Address) -> None:
        peer = Peer(connection, address)
        self.peers[peer.descriptor] = peer
        self._look_at(peer, is_ended=False)
        if peer.state == WAITING:  # most come with their request, and need no watching
            connection.setblocking(False)
            self.watch(peer)

    def watch(self, peer: Peer) -> None:
        """Hear of what comes on a connection that the loop has, and of its end."""
        if peer.is_watched:
            self.poller.modify(peer.descriptor, ARMED)
        else:
            peer.is_watched = True
            self.poller.register(peer.descriptor, ARMED)

    def _look_at(self, peer: Peer, *, is_ended: bool) -> None:
        """Act on an event: a whole header goes to a thread, an end closes."""
        if peer.state == LINGERING:
            see_off_some(self, peer)
        if peer.state != WAITING:
            return
        try:
            # not by a method of its own: within TLS, it is the bytes below that are looked at
            seen = socket.socket.recv_into(peer.socket, self._head, 0, _PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            seen = 0
        is_whole = not self._sees_header or seen == _HEAD or self._head.find(_END, 0, seen) >= 0
        if not seen or (is_ended and not is_whole):
            self.close(peer)
        elif is_whole:
            peer.state, peer.since, peer.is_partial = WORKING, time.monotonic(), False
            if peer.is_watched:
                self.poller.modify(peer.descriptor, select.EPOLLET)
            self._pool.add(peer)
        elif not peer.is_partial:
            peer.is_partial, peer.since = True, time.monotonic()

    def close(self, peer: Peer) -> None:
        """Close a connection that the loop owns."""
        with self.lock:
            if peer.state in (WORKING, CLOSED):
                return
            peer.state = CLOSED
        self.forget(peer)

    def forget(self, peer: Peer) -> None:
        """Close a connection, whoever owned it."""
        if self.peers.get(peer.descriptor) is peer:
            del self.peers[peer.descriptor]
            if peer.is_watched:
                with contextlib.suppress(OSError):
                    self.poller.unregister(peer.descriptor)
        if peer.conversation is not None:
            with contextlib.suppress(OSError):
                peer.conversation.close()
        peer.socket.close()

    def _sweep(self, now: float) -> None:
        """Close what has been idle, or has sent a header, for too long."""
        for peer in list(self.peers.values()):
            if peer.state == WAITING and now - peer.since > self.timeout_s:
                self.close(peer)
            elif peer.state == LINGERING:
                see_off_some(self, peer)

    # -- limits --------------------------------------------------------------------------------

    def _evict(self) -> bool:
        """Close the connections that have been idle longest; false if none is idle."""
        idle = self._evictable()
        idle.sort(key=lambda peer: peer.since)
        for peer in idle[: max(1, self._limit // 50)]:
            self.close(peer)
        return bool(idle)

    def _evictable(self) -> list[Peer]:
        """Return connections that are idle, and not for this moment only."""
        before = time.monotonic() - _EVICTABLE_S
        peers = list(self.peers.values())  # threads take theirs out meanwhile
        return [one for one in peers if one.state == WAITING and one.since < before]

    def _pause(self, reason: str, fact: str) -> None:
        """Leave newcomers in the kernel's queue for a moment."""
        now = time.monotonic()
        self._accepts_again_at = now + _PAUSE_S
        if self._stop_accepting() and now >= self._complains_again_at:
            self._complains_again_at = now + 10.0
            log.warning("not accepting: %s %s", reason, fact)

    def _stop_accepting(self) -> bool:
        """Leave newcomers in the kernel's queue; false if they are left there already."""
        was_accepting, self._is_accepting = self._is_accepting, False
        for listener in self.listeners if was_accepting else ():
            self.poller.unregister(listener.fileno())
        return was_accepting

    def _accept_again(self) -> None:
        if self.is_held:
            return
        self._is_accepting = True
        for listener in self.listeners:
            self.poller.register(listener.fileno(), select.EPOLLIN)

    def close_listeners(self) -> None:
        """Accept nobody any more, and say so."""
        for listener in self.listeners:
            if self._is_accepting:
                self.poller.unregister(listener.fileno())
            listener.close()
        self.listeners = []
        self.context.notify.send(STOPPING=1)
