"""By what a change of a file is told without reading it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class Mark(NamedTuple):
    """A file at one moment; a symbolic link counts as what it leads to.

    Marks are compared for being equal, never for being newer: a clock that went backwards, a
    checkout of something older and an unpacked archive are changes too.
    """

    mtime_ns: int
    size: int
    inode: int


def mark(path: str) -> Mark | None:
    """Return the mark of a file; ``None`` where there is none, or where it cannot be seen."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return Mark(found.st_mtime_ns, found.st_size, found.st_ino)


def differences(before: Mapping[str, Mark], after: Mapping[str, Mark]) -> list[str]:
    """Return the names that came, went or changed, in order."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
