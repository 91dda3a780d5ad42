"""A registry for whatever a release pushes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from release_stand import registry_in


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[str]:
    """A registry of our own on a free port."""
    with registry_in(tmp_path_factory.mktemp("registry")) as address:
        yield address
