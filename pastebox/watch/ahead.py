"""Import what nobody edits before it is known what was edited: most of a reload is that."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType

_PATCHERS = frozenset({"gevent", "eventlet"})
"""They replace parts of the library, and must come before who uses those parts."""
_CHOICES = ("twisted.internet.reactor", "matplotlib.pyplot")
"""To import one of these is to choose, and the choice is the application's."""


def worth_importing(names: Iterable[str]) -> list[str]:
    """Return those of the imported modules that may come early, in their order."""
    names = [name for name in names if not name.startswith(_CHOICES)]
    return [] if _PATCHERS.intersection(names) else names


class _Edited(Exception):  # noqa: N818  # it never leaves this module
    """An installed module imports an edited one."""


class _Guard:
    """Keeps modules out that may have changed by the time they are wanted."""

    def __init__(self, edited: Iterable[str]) -> None:
        self._edited = frozenset(edited)

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Refuse an edited module; leave every other to the usual finders."""
        if name.partition(".")[0] in self._edited:
            raise _Edited(name)
        return None


def import_ahead(names: Iterable[str], edited: Iterable[str], is_over: Callable[[], bool]) -> None:
    """Import modules until ``is_over``; one that cannot be had leaves nothing behind.

    Args:
        names: modules, in the order in which the application imported them.
        edited: top names of modules that must not be among them, nor behind them.
        is_over: whether there is something better to do.
    """
    guard = _Guard(edited)
    sys.meta_path.insert(0, guard)
    try:
        for name in names:
            if name in sys.modules:
                continue
            if is_over():
                return
            before = set(sys.modules)
            try:
                import_module(name)
            except Exception:  # noqa: BLE001  # the application will say it, if it wants it
                for new in set(sys.modules) - before:
                    del sys.modules[new]
    finally:
        sys.meta_path.remove(guard)
