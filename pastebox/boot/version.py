"""Whether one version is lower than another, as far as that can be told without a dependency.

Only the release segment of a version decides (``1.10`` in ``1.10rc1+local``), as numbers,
padded with zeros. Equal release segments are never a downgrade, and a version that does not
begin with a number is lower than nothing: a difference is then only a difference.
"""

from __future__ import annotations

import re

_RELEASE = re.compile(r"\s*v?(?:(\d+)!)?(\d+(?:\.\d+)*)")


def release_of(version: str) -> tuple[int, ...] | None:
    """Return the epoch and the release numbers without trailing zeros, or ``None``."""
    found = _RELEASE.match(version)
    if found is None:
        return None
    numbers = [int(found[1] or 0), *(int(part) for part in found[2].split("."))]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def is_lower(version: str, than: str) -> bool:
    """Whether ``version`` is certainly lower than ``than``."""
    mine, other = release_of(version), release_of(than)
    return mine is not None and other is not None and mine < other
