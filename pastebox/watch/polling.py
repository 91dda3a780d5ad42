"""Polling at a price: what was edited last is asked often, everything else in turn."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pastebox.watch.scan import Scanner

TICK_S = 0.5
"""Between two looks at recent files and at the directories themselves."""
SWEEP_TICKS = 6
"""In so many ticks every file has been looked at."""
_RECENT = 100


class Poller:
    """The directories that are watched by asking.

    A save by rename changes the directory, which is one question for all its files. A write in
    place does not: such a file is seen when its directory's turn comes, and from then on at
    every tick.
    """

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._stamps: dict[str, int] = {}
        self._turns: list[str] = []
        self._next = 0
        self._recent: dict[str, None] = {}

    @property
    def directories(self) -> list[str]:
        """Return what is polled."""
        return list(self._stamps)

    def add(self, directories: Iterable[str]) -> None:
        """Poll these as well."""
        new = [one for one in directories if one not in self._stamps]
        for directory in new:
            self._stamps[directory] = _stamp(directory)
        self._turns += new
        newest = [
            (one.mtime_ns, f"{directory}/{name}")
            for directory in new
            for name, one in self._scanner.marks(directory).items()
        ]
        newest.sort(reverse=True)
        for _, path in newest[:_RECENT]:
            self._recent[path] = None

    def tick(self) -> list[str]:
        """Return the changes that this tick found."""
        changed: list[str] = []
        due = {directory for directory in self._stamps if self._has_changed(directory)}
        due.update(self._turn())
        for path in list(self._recent):
            directory, name = os.path.split(path)
            if directory not in due:
                changed += self._scanner.look_at(directory, (name,))
        return self._noted(changed + self._look(due))

    def look_everywhere(self) -> list[str]:
        """Return all that has changed; for the end of a burst, so that it is one."""
        return self._noted(self._look(self._turns))

    def _look(self, directories: Iterable[str]) -> list[str]:
        changed = []
        for directory in directories:
            changed += self._scanner.look(directory)
        return changed

    def _noted(self, changed: list[str]) -> list[str]:
        for path in changed:
            self._recent.pop(path, None)
            self._recent[path] = None  # the latest is last
        while len(self._recent) > 2 * _RECENT:
            del self._recent[next(iter(self._recent))]
        return changed

    def _turn(self) -> list[str]:
        share = -(-len(self._turns) // SWEEP_TICKS)
        begin = self._next if self._next < len(self._turns) else 0
        self._next = begin + share
        return self._turns[begin : begin + share]

    def _has_changed(self, directory: str) -> bool:
        before = self._stamps[directory]
        self._stamps[directory] = now = _stamp(directory)
        return now != before


def _stamp(directory: str) -> int:
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return 0
