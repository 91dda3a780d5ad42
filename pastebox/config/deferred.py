"""Import a module without what it imports for rare occasions.

PasteDeploy imports ``importlib.metadata`` (which brings the e-mail parser and zipfile) and
``inspect`` at its top, 17 ms together, for entry points and for the text of one error. While it
is imported they are stand-ins that import the real module at the first use.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class Deferred(ModuleType):
    """A stand-in for a module."""

    def __getattr__(self, name: str) -> Any:
        """Import the real module and ask that."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Have these modules stand-ins for what is imported in the block, if they are not loaded yet.

    Whoever imports them after the block gets the real ones.
    """
    stand_ins = {name: Deferred(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
