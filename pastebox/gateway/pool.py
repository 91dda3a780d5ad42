"""Threads for the application: as many as are needed, a request never without one for long."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from pastebox.gateway.limits import Limits
from pastebox.gateway.turns import Turns

_log = logging.getLogger("pastebox.gateway")

Task = Callable[[], None]
_IDLE_S = 10.0
_SATURATED = 0.7
"""Processor time per second from which on more threads only fight for the interpreter."""
_SHORT_WAIT_S = 0.025
"""A task that waits no longer than this, by the queue's pace, is better off without company."""
_LONG_WAIT_S = 0.25
"""And this long where the processor is what it waits for."""


class Workers(Protocol):
    """Who runs the tasks. ``patience_s`` is when to tend again while tasks wait."""

    patience_s: float

    def add(self, task: Task) -> None:
        """Queue a task; called by the I/O thread only."""
        ...

    def tend(self, now: float) -> bool:
        """Do what waiting tasks need; say whether to come again soon."""
        ...


class Nobody:
    """Runs the tasks in the I/O thread itself: a process with one thread."""

    patience_s = 0.0

    def __init__(self) -> None:
        self._queue: deque[Task] = deque()

    def add(self, task: Task) -> None:
        """Queue a task."""
        self._queue.append(task)

    def tend(self, now: float) -> bool:  # noqa: ARG002  # as the pool has it
        """Run one task; say whether there are more."""
        if self._queue:
            self._queue.popleft()()
        return bool(self._queue)


class _Window(NamedTuple):
    """The state when tasks began to wait, or were last looked at."""

    began: float
    cpu: float
    taken: int


class Pool:
    """Starts threads when tasks wait, ends them when they have nothing to do."""

    patience_s = 0.01  # a task waits this long for one of the threads there are

    def __init__(
        self,
        limits: Limits,
        *,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._limits = limits
        self._cpu_clock = cpu_clock
        self._queue: SimpleQueue[Task] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0
        self._taken = 0  # tasks that a thread has begun
        self._numbers = 0
        self._batch: list[Task] = []
        self._turns = Turns()
        self._window: _Window | None = None  # while tasks wait
        for _ in range(min(limits.min_threads, limits.max_threads)):
            self._start()

    @property
    def threads(self) -> int:
        """How many there are."""
        return self._threads

    def add(self, task: Task) -> None:
        """Queue a task, which begins at the next :meth:`tend`; for one thread only, as that is."""
        self._batch.append(task)

    def tend(self, now: float) -> bool:
        """Start threads for tasks that have waited; say whether to look again soon."""
        if self._batch:
            self._hand_over()
        waiting = self._queue.qsize()
        if not waiting:
            self._window = None
            return False
        if self._window is None:
            self._window = self._open_window(now)
        elif now - self._window.began >= self.patience_s:
            if not self._keeps_up(self._window, now, waiting):
                self._grow(waiting)
            self._window = self._open_window(now)
        return True

    def _hand_over(self) -> None:
        """Give the new tasks to the threads, and leave them the interpreter for a moment."""
        batch, self._batch = self._batch, []
        self._turns.announce(len(batch))
        for task in batch:
            self._queue.put(task)
        self._turns.leave()

    def _open_window(self, now: float) -> _Window:
        return _Window(now, self._cpu_clock(), self._taken)

    def _keeps_up(self, window: _Window, now: float, waiting: int) -> bool:
        """Whether tasks come to their turn soon, or more threads would not make it sooner."""
        taken, seconds = self._taken - window.taken, now - window.began
        is_saturated = self._cpu_clock() - window.cpu >= _SATURATED * seconds
        most_s = _LONG_WAIT_S if is_saturated else _SHORT_WAIT_S
        return waiting * seconds < most_s * taken

    def _grow(self, waiting: int) -> None:
        """Start a thread for each task beyond those that an idle one is about to take."""
        idle = self._threads - self._busy
        for _ in range(min(waiting - idle, self._limits.max_threads - self._threads)):
            if not self._start():
                break

    def _start(self) -> bool:
        self._numbers += 1
        thread = threading.Thread(target=self._work, name=f"gateway-{self._numbers}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the limit of threads of this process or its cgroup
            if not self._threads:
                raise
            _log.warning("no further thread can be started threads=%d: %s", self._threads, error)
            return False
        with self._lock:
            self._threads += 1
        return True

    def _work(self) -> None:
        while True:
            try:
                task = self._queue.get(timeout=_IDLE_S)
            except Empty:
                if self._may_leave():
                    return
                continue
            with self._lock:
                self._busy += 1
                self._taken += 1
            try:
                task()
            except BaseException:  # noqa: BLE001  # a thread must outlive whatever one request does to it
                _log.exception("defect while serving")
            finally:
                with self._lock:
                    self._busy -= 1
                self._turns.done()

    def _may_leave(self) -> bool:
        with self._lock:
            if self._threads <= max(1, self._limits.min_threads, self._limits.spare_threads):
                return False
            self._threads -= 1
            return True
