"""SHA-256 for fingerprints, without hashlib where that can be had: OpenSSL costs 2 ms of a start.

``random`` of the standard library imports the same modules for the same reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = ("_sha2", "_sha256", "hashlib")


def hexdigest(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    digest: str = _sha256()(data).hexdigest()
    return digest


def _sha256() -> Any:
    # CPython 3.12 and later, 3.11, and any other Python.
    for name in _PLACES:
        try:
            return import_module(name).sha256
        except ImportError:
            continue
    raise ImportError("this Python has no SHA-256")
