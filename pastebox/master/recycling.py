"""The replacement of workers that have answered their number of requests, without a loss.

One at a time, the fresh one first: when it is ready, the spent one drains. A fresh worker that
fails to load leaves the spent one where it is.
"""

from __future__ import annotations

import logging
import os
import signal
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.signals import describe_status

if TYPE_CHECKING:
    from pastebox.master.generation import Generation
    from pastebox.master.worker import Worker

log = logging.getLogger("pastebox.master")

PATIENCE_S = 600.0
"""How long a spent worker may finish its requests: nobody waits for its end, as in a stop."""
_KILL_AFTER_S = 2.0
"""How long after that it may live: it ends itself."""
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 300.0


def limit_of(most: int, jitter: int) -> int:
    """Return a number from ``most`` to ``most + jitter``."""
    return most + int.from_bytes(os.urandom(8), "big") % (jitter + 1)


class Recycling:
    """The spent workers of one generation.

    Args:
        loop: the master's.
        status: counts replacements, keeps failures.
        generation: whose workers they are.
        start: forks a worker for a place of the generation; ``None`` when no more should come.
    """

    def __init__(
        self,
        loop: Loop,
        status: Status,
        generation: Generation,
        start: Callable[[Generation, int], Worker | None],
    ) -> None:
        self._loop = loop
        self._status = status
        self._generation = generation
        self._start = start
        self._waiting: deque[Worker] = deque()
        self._spent: Worker | None = None
        self._fresh: Worker | None = None
        self._failures = 0
        self._pauses = False

    def limit(self) -> int:
        """Return how many requests the next worker answers."""
        settings = self._generation.prepared.settings
        return limit_of(settings.max_requests, settings.max_requests_jitter)

    def spent(self, worker: Worker) -> None:
        """Take a worker's word that it has answered its number; it may say so again."""
        if not worker.is_spent:
            worker.is_spent = True
            self._waiting.append(worker)
            self._next()

    def ready(self, worker: Worker) -> None:
        """Have the spent worker drain, if this is the one that follows it."""
        if worker is not self._fresh or self._spent is None:
            return
        spent, self._fresh, self._failures = self._spent, None, 0
        spent.is_leaving = True
        spent.order_drain(PATIENCE_S)
        self._loop.call_later(PATIENCE_S + _KILL_AFTER_S, lambda: self._kill(spent))
        self._status.worker_recycled()
        log.info("worker recycled pid=%d successor=%d", spent.pid, worker.pid)

    def ended(self, worker: Worker, status: int) -> bool:
        """Take the end of a worker; false where that is a death like any other."""
        if worker is self._fresh:
            return self._failed(worker, status)
        if worker is self._spent:
            # Where it dies before it was told to leave, its successor is what replaces it.
            self._spent = self._fresh = None
            if worker.is_leaving and os.WIFSIGNALED(status):
                told = describe_status(status)
                log.warning("recycled worker ended badly pid=%d %s", worker.pid, told)
            self._next()
            return worker.is_leaving
        if worker in self._waiting:
            self._waiting.remove(worker)
        return False

    def _next(self) -> None:
        if self._spent is None and self._waiting and not self._pauses:
            spent = self._waiting[0]
            self._fresh = self._start(self._generation, spent.place)
            if self._fresh is not None:
                self._spent = self._waiting.popleft()

    def _failed(self, fresh: Worker, status: int) -> bool:
        spent, self._spent, self._fresh = self._spent, None, None
        if spent is None:
            return False
        reason = describe_status(status)
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**self._failures)
        self._failures += 1
        log.error(
            "worker not recycled, its successor failed to load: pid=%d successor=%d %s,"
            " tried again in %g s",
            spent.pid,
            fresh.pid,
            reason,
            delay,
        )
        self._status.trouble(f"successor of worker {spent.pid} failed to load: {reason}")
        self._waiting.appendleft(spent)
        self._pauses = True
        self._loop.call_later(delay, self._go_on)
        return True

    def _go_on(self) -> None:
        self._pauses = False
        self._next()

    def _kill(self, worker: Worker) -> None:
        if self._generation.workers.get(worker.pid) is worker:
            log.error("worker killed: it did not end after it was recycled pid=%d", worker.pid)
            worker.signal(signal.SIGKILL)
