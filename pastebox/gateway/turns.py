"""Whose turn it is to have the interpreter: the I/O thread, or those it has given something to do.

Two threads that run at a time hand the interpreter's lock to each other at every system call,
which costs a short request more than all the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_TURN_S = 0.003
"""How long the I/O thread leaves the interpreter to the threads it has given something to do."""
_TURNS_AT_MOST = 5
"""And again, as long as tasks end or compute: more threads would only make it longer."""
_SATURATED = 0.7
"""Processor time per second from which on they compute."""
_WITHOUT_AT_MOST = 64
"""How often it does not do so after it was in vain: twice as often each time, up to this."""


class Turns:
    """The I/O thread waits until new tasks are done: not for long, and not where it was in vain."""

    def __init__(self, *, cpu_clock: Callable[[], float] = time.process_time) -> None:
        self._cpu_clock = cpu_clock
        self._lock = threading.Lock()
        self._outstanding = 0  # tasks that a thread has or is about to have
        self._awaited = -1  # of them may be left when the I/O thread goes on; -1: it does not wait
        self._turn = threading.Lock()
        self._turn.acquire()
        self._turns_without = 0  # are left
        self._without = 1  # are next

    def announce(self, count: int) -> None:
        """Say that so many tasks are about to be handed over; by the I/O thread, as ``leave``."""
        with self._lock:
            if not self._turns_without:
                self._awaited = self._outstanding
            self._outstanding += count

    def add(self) -> None:
        """Say that there is one more; by any thread."""
        with self._lock:
            self._outstanding += 1

    @property
    def is_patient(self) -> bool:
        """Whether tasks have been short, so that one thread after the other is the fastest."""
        return not self._turns_without

    def leave(self) -> bool:
        """Leave them the interpreter, after they were handed over; false if it was in vain."""
        if self._turns_without:
            self._turns_without -= 1
            return False
        is_going_on = True
        for _ in range(_TURNS_AT_MOST):
            before, cpu = self._outstanding, self._cpu_clock()
            if self._turn.acquire(timeout=_TURN_S):
                self._without = 1
                return True
            is_computing = self._cpu_clock() - cpu >= _SATURATED * _TURN_S
            is_going_on = self._outstanding < before or is_computing
            if not is_going_on:
                self._turns_without = self._without
                self._without = min(2 * self._without, _WITHOUT_AT_MOST)
                break
        with self._lock:
            if self._awaited < 0:  # it came at the last moment
                self._turn.acquire()
            self._awaited = -1
        return is_going_on

    def done(self) -> None:
        """Say that a task is over; by the thread that had it."""
        with self._lock:
            self._outstanding -= 1
            if self._outstanding <= self._awaited:
                self._awaited = -1
                self._turn.release()
