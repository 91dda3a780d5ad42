"""The threads of a server that blocks: each converses on one connection, as long as it may.

The loop owns connections that wait; a thread owns the one it serves, and gives it back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from pastebox.gateway.turns import Turns
from pastebox.runners.last_bytes import unread
from pastebox.runners.threaded_drain import shut_down
from pastebox.runners.threaded_peer import ARMED, CLOSED, LINGERING, WAITING, Peer

if TYPE_CHECKING:
    from pastebox.runners.threaded_loop import ThreadedLoop

log = logging.getLogger("pastebox.worker")


class Pool:
    """A fixed number of threads, of which no more run than tasks need.

    While requests are short, one thread after the other serves them faster than many at a time,
    which would only fight for the interpreter.

    Args:
        loop: whose connections they serve.
        threads: how many requests are served at a time.
    """

    def __init__(self, loop: ThreadedLoop, threads: int) -> None:
        self._loop = loop
        self._batch: list[Peer] = []
        self._queue: deque[Peer] = deque()
        self._lock = threading.Lock()
        self._parked: list[threading.Lock] = []  # of threads that have nothing to do
        self._turns = Turns()
        for number in range(threads):
            name = f"pastebox-{number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    def add(self, peer: Peer) -> None:
        """Have a connection served, after the next :meth:`hand_over`; by the loop only."""
        self._batch.append(peer)

    @property
    def is_behind(self) -> bool:
        """Whether something waits for a thread."""
        return bool(self._queue)

    def hand_over(self) -> None:
        """Give the threads what was added, and leave them the interpreter for a moment.

        Call it again soon while :attr:`is_behind`: who computed may sleep now.
        """
        if not self._batch:
            if self._queue:
                self._wake(len(self._queue))
            return
        batch, self._batch = self._batch, []
        self._turns.announce(len(batch))
        self._queue.extend(batch)
        self._wake(1 if self._turns.is_patient else len(batch))
        if not self._turns.leave():
            self._wake(len(self._queue))

    def _wake(self, count: int) -> None:
        with self._lock:
            for _ in range(min(count, len(self._parked))):
                self._parked.pop().release()

    def _work(self) -> None:
        bed = threading.Lock()
        bed.acquire()
        while True:
            with self._lock:
                peer = self._queue.popleft() if self._queue else None
                if peer is None:
                    self._parked.append(bed)
            if peer is None:
                bed.acquire()
                continue
            peer.thread = threading.get_ident()
            is_kept = False
            try:
                is_kept = self._serve(peer)
            except OSError as error:
                self._loop.complaints.say(logging.INFO, "connection lost error=%s", error)
            except BaseException:  # a thread must outlive whatever one request does to it
                log.exception("defect while serving")
            self._give_back(peer, is_kept=is_kept)
            self._turns.done()

    def _serve(self, peer: Peer) -> bool:
        peer.socket.settimeout(self._loop.timeout_s)
        if peer.conversation is None:
            peer.conversation = self._loop.converse(peer.socket, self._loop)
            peer.socket = peer.conversation.socket
        is_kept = peer.conversation.serve()
        while is_kept and peer.conversation.has_more():
            is_kept = peer.conversation.serve()
        return is_kept

    def _give_back(self, peer: Peer, *, is_kept: bool) -> None:
        if not is_kept and self._leaves(peer):
            return
        with contextlib.suppress(OSError), self._loop.lock:
            peer.since = time.monotonic()
            peer.socket.setblocking(False)
            peer.state = WAITING if is_kept else LINGERING
            self._loop.poller.modify(peer.descriptor, ARMED)

    def _leaves(self, peer: Peer) -> bool:
        """Close in the thread where nothing is lost by it; else let the loop see it off."""
        if not (self._loop.is_lame or unread(peer.socket)) or not shut_down(peer):
            with self._loop.lock:
                peer.state = CLOSED
            self._loop.forget(peer)
            return True
        return False
