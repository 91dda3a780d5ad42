"""Which version is lower: certain answers only."""

from __future__ import annotations

import pytest

from pastebox.boot.version import is_lower

CASES = [
    pytest.param("1.0", "1.1", True, id="minor"),
    pytest.param("1.9", "1.10", True, id="numbers, not letters"),
    pytest.param("1.0", "1.0.0", False, id="zeros do not count"),
    pytest.param("1.0.0", "1.0", False, id="zeros do not count, other way"),
    pytest.param("2.0", "1.9", False, id="higher"),
    pytest.param("1.0rc1", "1.0", False, id="a pre-release is a difference only"),
    pytest.param("1.0+local", "1.0", False, id="local"),
    pytest.param("v1.0", "1.1", True, id="v in front"),
    pytest.param("2026.1", "1!0.1", True, id="epoch"),
    pytest.param("unknown", "1.0", False, id="unknown is not lower"),
    pytest.param("0.1", "main-abc", False, id="nothing is lower than unknown"),
    pytest.param("", "1.0", False, id="empty"),
]


@pytest.mark.parametrize(("version", "than", "expected"), CASES)
def test_lower(version, than, expected) -> None:
    assert is_lower(version, than) is expected
