"""No compiled module of a source that was written a moment ago.

Python takes a ``.pyc`` for right when the source's size and whole second agree (PEP 552). Whoever
saves twice within a second, and changes no length, would be served the first save; git calls such
an entry of its index racy, and has the same cure.
"""

from __future__ import annotations

import time
from importlib.machinery import SourceFileLoader
from typing import Any

FRESH_S = 2.0
_HEADER = 16


def keep_no_fresh_bytecode() -> None:
    """Have this process write none; a module is compiled again until its source has aged."""
    write = SourceFileLoader.set_data

    def set_data(self: SourceFileLoader, path: str, data: bytes, **how: Any) -> None:
        if not is_fresh(data, time.time()):
            write(self, path, data, **how)

    SourceFileLoader.set_data = set_data  # type: ignore[method-assign, assignment]  # the hook for this


def is_fresh(data: bytes, now: float) -> bool:
    """Whether a compiled module is of a source from the last moments, or from a time to come."""
    is_timed = len(data) >= _HEADER and int.from_bytes(data[4:8], "little") == 0
    return is_timed and int.from_bytes(data[8:12], "little") > now - FRESH_S
