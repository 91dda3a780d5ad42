"""Threads of which no more run than tasks need.

While tasks are short, one thread after the other does them faster than many at a time, which
would only fight for the interpreter.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pastebox.gateway.turns import Turns

log = logging.getLogger("pastebox.worker")

Task = TypeVar("Task")

BEHIND_S = 0.01
"""How soon to look after tasks that wait for a thread."""


class Pool(Generic[Task]):
    """A fixed number of threads.

    Args:
        run: does a task.
        threads: how many tasks are done at a time.
        name: what the names of the threads begin with.
    """

    def __init__(
        self, run: Callable[[Task], object], threads: int, *, name: str = "pastebox"
    ) -> None:
        self._run = run
        self._batch: list[Task] = []
        self._queue: deque[Task] = deque()
        self._lock = threading.Lock()
        self._parked: list[threading.Lock] = []  # of threads that have nothing to do
        self._turns = Turns()
        self._idents: set[int] = set()  # of the threads
        for number in range(threads):
            one = threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            one.start()

    def add(self, task: Task) -> None:
        """Have a task done, after the next :meth:`hand_over`; by the I/O thread, as that is.

        One of the threads may add what it is the first to come back for.
        """
        if threading.get_ident() in self._idents:
            self._turns.add()
            self._queue.append(task)
        else:
            self._batch.append(task)

    @property
    def is_behind(self) -> bool:
        """Whether something waits for a thread."""
        return bool(self._queue)

    def timeout(self, longest: float) -> float:
        """Return when to call :meth:`hand_over` again at the latest: who computed may sleep now."""
        return min(longest, BEHIND_S) if self._queue or self._batch else longest

    def hand_over(self) -> None:
        """Give the threads what was added, and leave them the interpreter for a moment."""
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
        self._idents.add(threading.get_ident())
        bed = threading.Lock()
        bed.acquire()
        while True:
            task = self._next(bed)
            try:
                self._run(task)
            except BaseException:  # a thread must outlive whatever one task does to it
                log.exception("defect while serving")
            self._turns.done()

    def _next(self, bed: threading.Lock) -> Task:
        """Return a task for the calling thread, which sleeps until there is one."""
        while True:
            with self._lock:
                if self._queue:
                    return self._queue.popleft()
                self._parked.append(bed)
            bed.acquire()
