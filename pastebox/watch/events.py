"""From events to directories to look at: what they tell is a hint, what is there decides."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from pastebox.watch.inotify import Inotify
from pastebox.watch.interest import Interest


class Hints(NamedTuple):
    """Where to look; ``is_lost`` says that it has to be everywhere."""

    directories: set[str]
    is_lost: bool


class Events:
    """The directories that are watched by events.

    A path leads through directories and symbolic links that can be replaced while the directory
    itself sees nothing of it: a deployment's ``current``, the ``..data`` of a ConfigMap, a
    directory that a checkout removes and makes again. The names on the way are guarded, and
    what is behind a replaced one is watched anew.

    Raises:
        OSError: no more events can be had: EMFILE here, ENOSPC when a directory is added.
    """

    def __init__(self, interest: Interest) -> None:
        self._interest = interest
        self._inotify = Inotify()
        self._directories: set[str] = set()
        self._guards: dict[str, dict[str, set[str]]] = {}  # directory, name: what is behind it

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._inotify.fileno()

    def add(self, directory: str) -> None:
        """Watch a directory, and the way to it."""
        self._directories.add(directory)
        self._inotify.watch(directory)
        self._guard(directory, directory)
        for place in _links(directory):
            self._guard(place, directory)
        for name in self._interest.exact.get(directory, ()):
            self.add_file(directory, name)

    def add_file(self, directory: str, name: str) -> None:
        """Watch what a symbolic link among the files leads to."""
        path = f"{directory}/{name}"
        if os.path.islink(path):
            for place in _links(path):
                self._guard(place, directory)
            self._guard(os.path.realpath(path), directory, contents=True)

    def read(self) -> Hints:
        """Return where to look."""
        found: set[str] = set()
        is_lost = False
        for directory, name, is_directory in self._inotify.read():
            if not directory:
                is_lost = True
            behind = self._guards.get(directory, {}).get(name, set())
            for one in behind:
                found |= self._anew(one)
            if directory in self._directories and (
                not name
                or (is_directory and self._interest.goes_into(directory, name))
                or self._interest.kind(directory, name)
            ):
                found.add(directory)
        return Hints(found, is_lost)

    def close(self) -> None:
        """Give the descriptor back."""
        self._inotify.close()

    def _guard(self, path: str, behind: str, *, contents: bool = False) -> None:
        directory, name = os.path.split(path)
        self._guards.setdefault(directory, {}).setdefault(name, set()).add(behind)
        self._inotify.watch(directory, names_only=not contents)

    def _anew(self, directory: str) -> set[str]:
        """Watch a directory that may have been replaced, and those below it."""
        below = {one for one in self._directories if one.startswith(directory + "/")}
        for one in below | {directory}:
            self.add(one)
        return below | {directory}


def _links(path: str) -> Iterator[str]:
    """Yield every symbolic link on the way to what a path means, as ``directory/name``."""
    seen: set[str] = set()
    queue = [path]
    while queue:
        here = ""
        for part in queue.pop().split("/")[1:]:
            here = f"{here}/{part}"
            if here not in seen and os.path.islink(here):
                seen.add(here)
                yield here
                rest = os.path.join(os.path.dirname(here), os.readlink(here))
                queue.append(os.path.normpath(rest))
