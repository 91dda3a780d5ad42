"""Threads for the application: as many as are needed, a request never without one for long."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol

from pastebox.gateway.limits import Limits

_log = logging.getLogger("pastebox.gateway")

Task = Callable[[], None]
_IDLE_S = 10.0


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


class Pool:
    """Starts threads when tasks wait, ends them when they have nothing to do."""

    patience_s = 0.01  # a task waits this long for one of the threads there are

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: SimpleQueue[Task] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._numbers = 0
        self._waits_since = 0.0
        for _ in range(min(limits.min_threads, limits.max_threads)):
            self._start()

    def add(self, task: Task) -> None:
        """Queue a task; called by one thread only."""
        if not self._waits_since:
            self._waits_since = time.monotonic()
        self._queue.put(task)

    def tend(self, now: float) -> bool:
        """Start threads for tasks that have waited; say whether to look again soon."""
        waiting = self._queue.qsize()
        if not waiting:
            self._waits_since = 0.0
            return False
        if now - self._waits_since >= self.patience_s:
            self._waits_since = now
            for _ in range(min(waiting, self._limits.max_threads - self._threads)):
                if not self._start():
                    break
        return True

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
            try:
                task()
            except BaseException:  # noqa: BLE001  # a thread must outlive whatever one request does to it
                _log.exception("defect while serving")

    def _may_leave(self) -> bool:
        with self._lock:
            if self._threads <= max(1, self._limits.min_threads, self._limits.spare_threads):
                return False
            self._threads -= 1
            return True
