"""Read texts and numbers out of requests without trusting them."""

from collections.abc import Mapping
from typing import Any

MAX_NUMBER = 2**31 - 1  # what an integer column of PostgreSQL holds


def read_text(values: Mapping[str, Any], key: str) -> str:
    """Return the text of a field; a file, or nothing, is an empty text."""
    value = values.get(key)
    return value if isinstance(value, str) else ""


def read_number(values: Mapping[str, Any], key: str, default: int) -> int:
    """Return a non-negative number that the database can hold, or the default."""
    text = read_text(values, key)
    if not (text.isascii() and text.isdigit()):
        return default
    return min(int(text[:12]), MAX_NUMBER)
