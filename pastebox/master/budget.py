"""How often a worker may die before its death is the service's."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 600.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class RestartBudget:
    """Counts deaths in a sliding window and spaces the replacements out."""

    def __init__(
        self,
        deaths: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        first_s: float = FIRST_DELAY_S,
        longest_s: float = LONGEST_DELAY_S,
    ) -> None:
        self._allowed = deaths
        self._clock = clock
        self._first_s = first_s
        self._longest_s = longest_s
        self._deaths: deque[float] = deque()

    def spend(self) -> float | None:
        """Record a death; return the delay before the replacement, or ``None`` if none is left."""
        now = self._clock()
        while self._deaths and self._deaths[0] <= now - WINDOW_S:
            self._deaths.popleft()
        self._deaths.append(now)
        if len(self._deaths) > self._allowed:
            return None
        doubled: float = self._first_s * 2 ** min(len(self._deaths) - 1, 64)
        return min(self._longest_s, doubled)
