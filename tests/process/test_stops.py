"""A tenth of the soak: stops under load lose nothing, and the account can see a loss."""

import random
import signal

import pytest
from stop_load import SHORT, stop_once

pytestmark = pytest.mark.process


@pytest.mark.parametrize("seed", range(10))
def test_stop_under_load_loses_nothing(tmp_path, seed):
    stop = stop_once("pastebox", tmp_path, SHORT, random.Random(seed))
    lost = stop.counts["failed"] + stop.counts["truncated"]
    assert (lost, stop.code) == (0, 0), "\n".join([*stop.details, stop.log])
    assert stop.counts["answered"] > 20


def test_account_sees_what_plain_waitress_loses(tmp_path):
    """The negative control: a server that ends at TERM cuts off what is running."""
    stop = stop_once("plain", tmp_path, SHORT, random.Random(1))
    assert stop.code == -signal.SIGTERM
    assert stop.counts["failed"] > 0
