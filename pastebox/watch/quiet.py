"""When a burst of changes is over: one reload for one save, and one for a checkout of hundreds."""

from __future__ import annotations

ONE_S = 0.02
"""Quiet that follows one changed file: an editor's write, rename and chmod take a millisecond."""
MANY_S = 0.1
"""Quiet that follows several: an archive or a synchronisation may stop for breath."""
LONGEST_S = 10.0
"""A burst without an end, or a lock that was left behind, is acted on after this."""


class Burst:
    """The changes since the last that were acted on.

    Times are the caller's clock, in seconds; it need not be a wall clock, and must not go back.
    """

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self._began = 0.0
        self._last = 0.0

    def add(self, paths: list[str], now: float) -> None:
        """Take changes that were seen now."""
        if not paths:
            return
        if not self.paths:
            self._began = now
        self._last = now
        self.paths.update(paths)

    def wait_s(self, now: float, *, is_locked: bool = False) -> float | None:
        """Return how long to wait until it is over; 0 when it is, ``None`` when there is none.

        Args:
            now: the time.
            is_locked: somebody says that more is to come (git, by its index lock).
        """
        if not self.paths:
            return None
        quiet = ONE_S if len(self.paths) == 1 else MANY_S
        ends = now + quiet if is_locked else self._last + quiet
        return max(0.0, min(ends, self._began + LONGEST_S) - now)

    def take(self) -> list[str]:
        """Return the changed paths in order, and begin anew."""
        taken = sorted(self.paths)
        self.paths.clear()
        return taken
