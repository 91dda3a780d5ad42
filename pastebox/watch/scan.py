"""Compare directories with what they were; events and polling differ only in when they ask."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pastebox.watch.interest import MOST_DIRECTORIES, MOST_FILES, Interest
from pastebox.watch.marks import Mark, differences, mark


class Scanner:
    """The directories of an interest, each with the marks of its files.

    There is a bound: once it is reached, only files that are named one by one are added, and
    ``overflow`` says where that was.

    Args:
        interest: what is watched; it may grow.
    """

    def __init__(self, interest: Interest) -> None:
        self._interest = interest
        self._marks: dict[str, dict[str, Mark]] = {}
        self._count = 0
        self._new: list[str] = []
        self.overflow = ""

    def take_new(self) -> list[str]:
        """Return the directories that have come since the last call."""
        new, self._new = self._new, []
        return new

    @property
    def directories(self) -> list[str]:
        """Return every directory that is watched, those that are not there as well."""
        return list(self._marks)

    @property
    def files(self) -> int:
        """How many files are watched."""
        return self._count

    def marks(self, directory: str) -> dict[str, Mark]:
        """Return the files of a directory, and what they were."""
        return self._marks.get(directory, {})

    def begin(self, directories: Iterable[str]) -> None:
        """Take what is there as the state to compare with."""
        queue = sorted(directories)
        seen = set(queue)
        while queue:
            directory = queue.pop()
            marks, below = self._read(directory)
            marks = self._bounded(directory, marks)
            known = self._marks.get(directory, {})
            # What was watched already keeps its mark: a change meanwhile is still to be told.
            self._store(directory, {**marks, **known})
            queue.extend(one for one in below if one not in seen)
            seen.update(below)

    def look(self, directory: str) -> list[str]:
        """Return the paths in a directory that have changed since it was looked at last.

        Directories that have come are looked into as well.
        """
        changed: list[str] = []
        queue = [directory]
        while queue:
            here = queue.pop()
            marks, below = self._read(here)
            marks = self._bounded(here, marks)
            changed += [f"{here}/{name}" for name in differences(self._marks.get(here, {}), marks)]
            self._store(here, marks)
            queue.extend(one for one in below if one not in self._marks)
        return changed

    def look_at(self, directory: str, names: Iterable[str]) -> list[str]:
        """Return those of these files, which are known, that have changed."""
        known = self._marks.get(directory, {})
        changed = []
        for name in names:
            now = mark(f"{directory}/{name}")
            if now != known.get(name):
                changed.append(f"{directory}/{name}")
                if now is None:
                    known.pop(name, None)
                    self._count -= 1
                else:
                    self._count += name not in known
                    known[name] = now
        return changed

    def _store(self, directory: str, marks: dict[str, Mark]) -> None:
        if directory not in self._marks:
            self._new.append(directory)
        self._count += len(marks) - len(self._marks.get(directory, {}))
        self._marks[directory] = marks

    def _bounded(self, directory: str, marks: dict[str, Mark]) -> dict[str, Mark]:
        """Return what of a directory there is room for: what is watched, or named, has it."""
        known = self._marks.get(directory, {})
        files = self._count + len(marks) - len(known)
        if files <= MOST_FILES and len(self._marks) <= MOST_DIRECTORIES:
            return marks
        named = self._interest.exact.get(directory, ())
        kept = {name: one for name, one in marks.items() if name in known or name in named}
        is_full = len(kept) < len(marks) or len(self._marks) > MOST_DIRECTORIES
        if is_full and not self.overflow:
            self.overflow = (
                f"more than {MOST_FILES} files or {MOST_DIRECTORIES} directories"
                f" would be watched; the last was {directory}"
            )
        return kept

    def _read(self, directory: str) -> tuple[dict[str, Mark], list[str]]:
        """Return the marks of a directory, and the directories in it to look into."""
        interest = self._interest
        is_refused = self.overflow and directory not in self._marks
        if is_refused or not interest.is_wide(directory):
            names = interest.exact.get(directory, ())
            found = ((name, mark(f"{directory}/{name}")) for name in names)
            return {name: one for name, one in found if one is not None}, []
        marks: dict[str, Mark] = {}
        below: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir():
                        # A link could lead around in a circle, or out of the tree.
                        if not entry.is_symlink() and interest.goes_into(directory, entry.name):
                            below.append(f"{directory}/{entry.name}")
                    elif interest.kind(directory, entry.name):
                        seen = mark(entry.path)
                        if seen is not None:
                            marks[entry.name] = seen
        except OSError:
            pass  # it is gone, or may not be read: nothing in it can be seen
        return marks, below
