"""git's own word that a checkout is under way: the lock of its index."""

from __future__ import annotations

import os
from collections.abc import Iterable


def is_locked(paths: Iterable[str]) -> bool:
    """Whether git works on a tree that one of these files is in."""
    directories = {os.path.dirname(path) for path in paths}
    roots: set[str] = set()
    for directory in directories:
        root = _git_directory(directory, roots)
        if root:
            roots.add(root)
    return any(os.path.exists(f"{root}/index.lock") for root in roots)


def _git_directory(directory: str, known: set[str]) -> str:
    """Return the ``.git`` above a directory; empty where there is none, or it is known."""
    here = directory
    while here not in ("", "/"):
        path = f"{here}/.git"
        if path in known:
            return ""
        if os.path.isdir(path):
            return path
        if os.path.isfile(path):  # a worktree or a submodule
            try:
                with open(path, encoding="utf-8") as file:
                    return os.path.join(here, file.read().partition("gitdir:")[2].strip())
            except (OSError, UnicodeDecodeError):
                return ""
        here = os.path.dirname(here)
    return ""
