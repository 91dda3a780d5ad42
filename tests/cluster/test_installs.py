"""Replicas set up once; tests/soak/cluster_installs.py does it with more, and more often."""

from __future__ import annotations

import pytest
from cluster_installs import SLOW_SETUP, install_cold


@pytest.mark.parametrize(("lock", "kills"), [("lease", True), ("postgresql", False)])
def test_replicas_set_up_once(database, wiki_values, lock, kills):
    values = wiki_values(setup={"lock": lock}, config={"overlays": {"slow.ini": SLOW_SETUP}})
    came = install_cold(database, values, 4, kills=kills)
    assert came.is_right, came
