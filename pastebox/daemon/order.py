"""The order of a stop: who is told when, within one deadline for all."""

import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class StopOrder(Generic[T]):
    """One stop of steps of programs.

    A step is told when all before it have ended, and at the latest when its share of the time
    begins: a program that does not end keeps nobody from draining. Nobody is killed before the
    deadline, which is the same for all.
    """

    def __init__(
        self,
        steps: Sequence[Sequence[T]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._began = clock()
        self._steps = [list(step) for step in steps]
        self._next = 0
        self.deadline = self._began + seconds

    def due(self, has_ended: Callable[[T], bool]) -> list[T]:
        """Return the programs that are to be told now; each is returned once."""
        found: list[T] = []
        while self._next < len(self._steps):
            before = [one for step in self._steps[: self._next] for one in step]
            if not self._share_begins() and not all(map(has_ended, before)):
                break
            found.extend(self._steps[self._next])
            self._next += 1
            if found:
                break
        return found

    def _share_begins(self) -> bool:
        share = self._seconds * self._next / len(self._steps)
        return self._clock() >= self._began + share

    def hurry(self, seconds: float) -> None:
        """Let everybody be told now, and move the deadline here."""
        self.deadline = min(self.deadline, self._clock() + seconds)
        self._seconds = 0.0
