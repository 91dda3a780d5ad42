"""The short way to SHA-256 gives what hashlib gives."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from pastebox.config import sha256


@given(st.binary())
def test_it_is_sha256(data) -> None:
    assert sha256.hexdigest(data) == hashlib.sha256(data).hexdigest()


def test_a_python_without_the_short_way_has_hashlib(monkeypatch) -> None:
    monkeypatch.setattr(sha256, "_PLACES", ("_no_such_module", "hashlib"))
    assert sha256.hexdigest(b"x") == hashlib.sha256(b"x").hexdigest()
