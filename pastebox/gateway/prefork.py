"""Processes with one thread each, as many as are needed, on the same listening sockets.

The parent has the application loaded and runs none of it; children are forked from it, so a
replacement costs milliseconds. What each child is doing stands in shared memory, one byte each.
"""

from __future__ import annotations

import contextlib
import logging
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from pastebox.process.child import start_child
from pastebox.process.signals import describe_status

_log = logging.getLogger("pastebox.gateway")

NOBODY, IDLE, BUSY = range(3)
_TOO_MANY_IDLE_S = 10.0
_TICK_S = 1.0
_DRAIN_TICK_S = 0.02
_LATE_S = 0.5
"""How long after the deadline a child may take to say what it cut off."""
_YOUNG_S = 1.0
_PAUSE_S = 1.0
"""A child that dies this young is followed by another after this pause only."""


class Bounds(NamedTuple):
    """How many children.

    Attributes:
        min_spare: idle ones that are there.
        max_spare: idle ones that are kept.
        most: the most of all.
    """

    min_spare: int = 1
    max_spare: int = 5
    most: int = 50


class Place:
    """A child's own view: its number, its parent's orders, what it is doing."""

    IDLE, BUSY, LEAVING = 1, 2, 3

    def __init__(self, number: int, link: socket.socket, board: mmap.mmap, poke: int) -> None:
        self.number = number
        self.link = link
        self._board = board
        self._poke = poke

    def is_doing(self, what: int) -> None:
        """Say so; call the parent when there may be too few idle ones left."""
        self._board[self.number] = what
        if what != IDLE and self._board.find(bytes((IDLE,))) < 0:
            with contextlib.suppress(OSError):
                os.write(self._poke, b"x")


class _Child(NamedTuple):
    pid: int
    link: socket.socket
    born: float


class Prefork:
    """The parent.

    Args:
        serve: runs in a child and returns its exit status; at QUIT the child should say what it
            is doing, since its time is over.
        bounds: how many children.
        ended: is called with the number of a child that is no more.
    """

    def __init__(
        self, serve: Callable[[Place], int], bounds: Bounds, ended: Callable[[int], None]
    ) -> None:
        self._serve = serve
        self._bounds = bounds
        self._ended = ended
        self._board = mmap.mmap(-1, max(1, bounds.most))
        self._poke_read, self._poke_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._children: dict[int, _Child] = {}
        self._poller = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self._links: dict[int, int] = {}
        self._texts: dict[int, bytes] = {}
        self._too_many_since = 0.0
        self._forks_again_at = 0.0
        self._deadline = 0.0
        self._is_lame = self._is_asked = self._is_held = False
        self.cut = 0
        self.watch(self._poke_read, self._poked)

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Have ``callback`` called whenever ``descriptor`` is readable."""
        self._watched[descriptor] = callback
        self._poller.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor."""
        if self._watched.pop(descriptor, None) is not None:
            self._poller.unregister(descriptor)

    def become_lame(self) -> None:
        """Have every child close each connection after its answer, and go on accepting."""
        self._is_lame = True
        self._tell(b"lame\n")

    def hold(self, *, is_held: bool) -> None:
        """Have every child leave newcomers to others who have the same listeners."""
        self._is_held = is_held and not self._deadline
        self._tell(b"hold\n" if self._is_held else b"resume\n")

    @property
    def is_draining(self) -> bool:
        """Whether the end has begun."""
        return bool(self._deadline)

    def start_drain(self, seconds: float) -> None:
        """Have every child stop accepting and end within ``seconds``."""
        deadline = time.monotonic() + seconds
        self._deadline = min(self._deadline, deadline) if self._deadline else deadline
        self._tell(b"drain %f\n" % seconds)

    def run(self, tick: Callable[[float], float]) -> int:
        """Serve until drained; return the number of requests that the deadline cut off.

        ``tick`` is called at every turn with the time, and returns the seconds until the next.
        """
        self._tend(time.monotonic())
        while not self._deadline or self._children:
            now = time.monotonic()
            wait = min(_DRAIN_TICK_S if self._deadline else _TICK_S, tick(now))
            for descriptor, _ in self._poller.poll(wait):
                self._dispatch(descriptor)
            now = time.monotonic()
            self._tend(now)
            if self._deadline and now >= self._deadline:
                self._end_all(now)
        return self.cut

    # -- children --------------------------------------------------------------------------------

    def _dispatch(self, descriptor: int) -> None:
        if descriptor in self._links:
            self._hear(self._links[descriptor])
        elif descriptor in self._watched:
            self._watched[descriptor]()

    def _poked(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._poke_read, 4096)

    def _tend(self, now: float) -> None:
        """Fork when too few are idle, send one away when too many are, for long."""
        idle = self._count(IDLE)
        missing = max(1, self._bounds.min_spare) - idle
        missing = min(missing, self._bounds.most - len(self._children))
        if missing > 0 and now >= self._forks_again_at and self._may_fork(now):
            for _ in range(missing):
                self._fork(now)
        if idle <= self._bounds.max_spare or self._deadline:
            self._too_many_since = now
        elif now - self._too_many_since >= _TOO_MANY_IDLE_S:
            self._too_many_since = now - _TOO_MANY_IDLE_S + _TICK_S
            self._send_one_away()

    def _may_fork(self, now: float) -> bool:
        # While it drains, only for those who wait to be accepted while everybody is busy.
        waits = bool(self._children) and now < self._deadline and not self._is_held
        return not self._deadline or waits

    def _count(self, what: int) -> int:
        board = self._board
        return sum(board[number] == what for number in self._children)

    def _fork(self, now: float) -> None:
        number = next(n for n in range(self._bounds.most) if n not in self._children)
        ours, theirs = socket.socketpair()
        place = Place(number, theirs, self._board, self._poke_write)
        self._board[number] = IDLE
        kept = [ours, *(child.link for child in self._children.values())]
        close = [self._poller.fileno(), self._poke_read, *(link.fileno() for link in kept)]
        try:
            pid = start_child(lambda: self._serve(place), close=close, own_group=False)
        except OSError as error:
            _log.warning("no child can be started: %s children=%d", error, len(self._children))
            ours.close()
            theirs.close()
            self._board[number] = NOBODY
            self._forks_again_at = now + _PAUSE_S
            return
        theirs.close()
        ours.setblocking(False)
        self._children[number] = _Child(pid, ours, now)
        self._links[ours.fileno()] = number
        self._texts[number] = b""
        self._poller.register(ours.fileno(), select.EPOLLIN)
        if self._is_lame:
            self._send(ours, b"lame\n")
        if self._is_held:
            self._send(ours, b"hold\n")
        if self._deadline:
            self._send(ours, b"drain %f\n" % max(0.0, self._deadline - now))

    def _send_one_away(self) -> None:
        for number in reversed(list(self._children)):
            if self._board[number] == IDLE:
                self._send(self._children[number].link, b"drain 60\n")
                return

    def _tell(self, order: bytes) -> None:
        for child in self._children.values():
            self._send(child.link, order)

    @staticmethod
    def _send(link: socket.socket, order: bytes) -> None:
        with contextlib.suppress(OSError):
            link.send(order)

    def _hear(self, number: int) -> None:
        """Take what a child says at its end: how many requests it has cut off."""
        child = self._children[number]
        try:
            text = child.link.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            text = b""
        self._texts[number] += text
        if not text:
            self._bury(number)

    def _bury(self, number: int) -> None:
        child = self._children.pop(number)
        text = self._texts.pop(number)
        del self._links[child.link.fileno()]
        self._poller.unregister(child.link.fileno())
        child.link.close()
        _, status = os.waitpid(child.pid, 0)
        was_busy = self._board[number] == BUSY
        self._board[number] = NOBODY
        self._ended(number)
        if text.startswith(b"cut "):
            self.cut += int(text.split()[1])
        elif status:
            _log.error("child ended: %s pid=%d", describe_status(status), child.pid)
            self.cut += was_busy and bool(self._deadline)
            if time.monotonic() - child.born < _YOUNG_S:
                self._forks_again_at = time.monotonic() + _PAUSE_S

    def _end_all(self, now: float) -> None:
        """Have those who cannot hear of the deadline say what they do; kill them soon after."""
        number = signal.SIGKILL if now >= self._deadline + _LATE_S else signal.SIGQUIT
        if number == signal.SIGQUIT and self._is_asked:
            return
        self._is_asked = True
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)
