"""A look at the requests that run: who runs for too long is reported, with the stack.

It costs a request nothing: who runs is known anyway, and looked at by a thread that sleeps until
the oldest request can be too long.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterable

from pastebox.observe.counters import Slot
from pastebox.process.stacks import Running, stack_of
from pastebox.runners.context import WorkerContext

log = logging.getLogger("pastebox.worker")

_SOON_S = 1.0
"""While a request is over the limit: how late its end is noticed at most."""


class Watch:
    """What was reported, and what is to be reported.

    Args:
        limit_s: how long a request may run.
        running: gives those that run, from any thread.
        show: is called with the number of requests over the limit when it changes.
    """

    def __init__(
        self,
        limit_s: float,
        running: Callable[[], Iterable[Running]],
        show: Callable[[int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s = limit_s
        self._running = running
        self._show = show
        self._clock = clock
        self._reported: set[Running] = set()
        self._lock = threading.Lock()

    def look(self) -> float:
        """Report what there is to report; return the seconds until the next look."""
        with self._lock:
            return self._look()

    def _look(self) -> float:
        running = set(self._running())
        now = self._clock()
        over = {one for one in running if now - one.since >= self._limit_s}
        for one in over - self._reported:
            told = one.told(now)
            log.warning("request runs for too long %s\n%s", told, stack_of(one.thread))
        for one in self._reported - over:
            log.warning("request that ran for too long has finished %s", one.told(now))
        if len(over) != len(self._reported):
            self._show(len(over))
        self._reported = over
        soon = min((one.since for one in running - over), default=now) + self._limit_s - now
        return min(soon, _SOON_S) if over else soon

    def run(self) -> None:
        """Look, again and again, until the process ends."""
        while True:
            time.sleep(max(0.01, self.look()))


def tell_cut(running: Iterable[Running]) -> None:
    """Log what a drain's deadline cuts off, and where each of it is."""
    now = time.monotonic()
    for one in running:
        told, stack = one.told(now), stack_of(one.thread)
        log.warning("request cut off by the drain deadline %s\n%s", told, stack)


def watch(context: WorkerContext, running: Callable[[], Iterable[Running]], threads: int) -> None:
    """Say how many threads serve, and begin to watch them where a limit is set."""
    context.counters.show_threads(threads)
    watch_in(context.counters, context.stuck_after_s, running)


def watch_in(slot: Slot, limit_s: float, running: Callable[[], Iterable[Running]]) -> None:
    """Begin to watch, where there is a limit; ``slot`` has the number of those over it."""
    if limit_s:
        watcher = Watch(limit_s, running, slot.show_stuck)
        threading.Thread(target=watcher.run, name="pastebox-watch", daemon=True).start()
        atexit.register(watcher.look)  # what ended since, its worker with it, is told as well
