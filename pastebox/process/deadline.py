"""One monotonic deadline, handed down; nobody sleeps a fixed time."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple, Self


class Deadline(NamedTuple):
    """A point in monotonic time, in seconds."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """Make the deadline that is ``seconds`` from now; infinity is allowed."""
        return cls(clock() + seconds, clock)

    @classmethod
    def never(cls) -> Self:
        """Make the deadline that does not come."""
        return cls(math.inf)

    @property
    def remaining(self) -> float:
        """Seconds left, 0 when it has passed."""
        return max(0.0, self.at - self.clock())

    @property
    def has_passed(self) -> bool:
        """Whether it is over."""
        return self.clock() >= self.at

    def sooner(self, seconds: float) -> Self:
        """Return whichever comes first: this one, or ``seconds`` from now."""
        return self._replace(at=min(self.at, self.clock() + seconds))
