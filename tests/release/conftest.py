"""A registry for whatever a release pushes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from release_stand import serving


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Iterator[str]:
    """A registry of our own on a free port."""
    program = shutil.which("docker-registry")
    if program is None:
        reason = "needs docker-registry: docker-registry is not installed"
        if "docker-registry" in os.environ.get("PASTEBOX_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    with serving(program, tmp_path_factory.mktemp("registry")) as address:
        yield address
