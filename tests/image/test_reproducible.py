"""The same sources make the same image, bit for bit."""

from __future__ import annotations

import pytest


@pytest.mark.timeout(600)
def test_a_second_build_without_any_cache_is_the_same(image, make_image, docker):
    """The identity is the digest of the configuration, which holds the digests of all layers."""
    again = make_image("pastebox:test-again", "--no-cache")
    template = "{{json .RootFS.Layers}} {{.Id}}"
    first, second = (docker("image", "inspect", "-f", template, tag) for tag in (image, again))
    assert first == second
