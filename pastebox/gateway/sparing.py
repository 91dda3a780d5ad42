"""Log lines about what peers do wrong, few enough that nobody can fill the log with them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_LINES = 20
_WINDOW_S = 10.0


class Sparing:
    """Writes twenty lines in ten seconds at most; what is left out is counted in the next ones.

    Any thread may write.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._window_ends = 0.0
        self._written = 0
        self._left_out = 0

    def say(self, level: int, message: str, *facts: object) -> None:
        """Write a line, or count it."""
        with self._lock:
            left_out = self._turn()
            may_write = self._written < _LINES
            if may_write:
                self._written += 1
            else:
                self._left_out += 1
        self._report(left_out)
        if may_write:
            self._log.log(level, message, *facts)

    def tick(self) -> None:
        """Tell what was left out, once the ten seconds are over."""
        if self._left_out:
            with self._lock:
                left_out = self._turn()
            self._report(left_out)

    def _turn(self) -> int:
        """Begin the next ten seconds where it is time; return what was left out before."""
        now = self._clock()
        if now < self._window_ends:
            return 0
        left_out, self._left_out = self._left_out, 0
        self._window_ends, self._written = now + _WINDOW_S, 0
        return left_out

    def _report(self, left_out: int) -> None:
        if left_out:
            self._log.warning("lines about clients left out of the log count=%d", left_out)
