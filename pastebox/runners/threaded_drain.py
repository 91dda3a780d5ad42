"""The end of a threaded worker: the backlog served, responses whole to the last byte, one deadline.

The reasons of each step are those of the waitress runner's drain.
"""

from __future__ import annotations

import logging
import socket
import time
from typing import TYPE_CHECKING

from pastebox.process.last_bytes import LINGER_S, unacknowledged, unread
from pastebox.process.stacks import stack_of
from pastebox.runners.threaded_peer import CLOSED, LINGERING, WAITING, WORKING, Peer

if TYPE_CHECKING:
    from pastebox.runners.threaded_loop import ThreadedLoop

log = logging.getLogger("pastebox.worker")

_HANDSHAKE_S = 0.05
"""How long a handshake that has begun may take."""
_MOST_ROUNDS = 64
"""Acceptances at a time are bounded: while a reload drains, newcomers never end."""
_WARM_S = 1.0
"""A connection that was active this recently is likely to send its next request now."""
_WARM_GRACE_S = 0.25
"""How long it gets, from the last answer that did not say ``close``."""
_PROMISED_S = 1.0
"""How long one gets whose answer has ended in the drain, and had begun before without ``close``."""
_HEADER_GRACE_S = 1.0
"""How long a request may take to become one: bytes before the end of a header are no request."""
_LONGEST_LINGER_S = 30.0
"""When nothing drains, how long a peer that takes nothing may hold a finished connection."""


class Drain:
    """The last phase of a worker's life."""

    tick_s = 0.02

    def __init__(self, loop: ThreadedLoop, seconds: float) -> None:
        self._loop = loop
        self._began = time.monotonic()
        self._deadline = self._began + seconds
        self.cut = 0
        self.is_over = False

    def hurry(self, seconds: float) -> None:
        """Move the deadline to ``seconds`` from now, if that is sooner."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def tick(self) -> None:
        """Take what waits to be accepted; close those that owe nobody anything."""
        loop = self._loop
        now = time.monotonic()
        if loop.listeners:
            # Where newcomers were held, the next generation is there and takes them.
            is_last = loop.is_held or now - self._began >= _HANDSHAKE_S
            for _ in range(0 if loop.is_held else _MOST_ROUNDS):
                if not loop.accept():
                    break
            if is_last:
                loop.close_listeners()
        if now >= self._deadline:
            self._end()
            return
        for peer in list(loop.peers.values()):
            if peer.state == LINGERING:
                see_off_some(loop, peer)
            elif peer.state == WAITING and self._may_close(peer, now):
                loop.close(peer)
        self.is_over = not (loop.peers or loop.listeners)

    def _may_close(self, peer: Peer, now: float) -> bool:
        if peer.is_partial:
            return now - self._began > _HEADER_GRACE_S
        if unacknowledged(peer.socket) or unread(peer.socket):
            # The next request has come since the poller was asked; or an answer in our kernel's
            # buffer is not read yet, and what follows can be seconds away.
            peer.since = now
            return False
        if self._began - peer.since >= _WARM_S:
            return True
        if peer.since > self._began:
            return now - peer.since > _PROMISED_S
        return now - self._began > _WARM_GRACE_S

    def _end(self) -> None:
        """Give up on what is left; count what is lost by that."""
        if self._loop.listeners:
            self._loop.close_listeners()
        now = time.monotonic()
        running = {one.thread: one for one in self._loop.running()}
        for peer in list(self._loop.peers.values()):
            unsent = unacknowledged(peer.socket) if peer.state != CLOSED else 0
            if peer.state == WORKING or unsent:
                self.cut += 1
                request = running.get(peer.thread) if peer.state == WORKING else None
                log.warning(
                    "request cut off by the drain deadline %s unsent=%d%s",
                    request.told(now) if request else f"seconds={now - peer.since:.1f}",
                    unsent,
                    f"\n{stack_of(peer.thread)}" if request else "",
                )
        self.is_over = True


def shut_down(peer: Peer) -> bool:
    """Say that nothing more will come; false if nobody is there to be told."""
    try:
        peer.socket.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    peer.lingers_until = time.monotonic() + LINGER_S
    return True


def see_off_some(loop: ThreadedLoop, peer: Peer) -> None:
    """Throw away what a finished peer still sends; close when it closed or has everything."""
    is_open = True
    try:
        while is_open:
            is_open = bool(socket.socket.recv(peer.socket, 65536))
    except BlockingIOError:
        pass
    except OSError:
        is_open = False
    late = time.monotonic() - peer.lingers_until
    if is_open and (late < 0 or (unacknowledged(peer.socket) and late < _longest(loop))):
        return
    loop.close(peer)


def _longest(loop: ThreadedLoop) -> float:
    return float("inf") if loop.drain is not None else _LONGEST_LINGER_S
