"""A tenth of the soak: stops under load lose nothing, and the account can see a loss."""

import random
import signal

import pytest
from app_process import Call
from contract_cases import CASES
from stop_load import SHORT, stop_once
from stop_peers import FOREIGN

pytestmark = pytest.mark.process

STRICT = [pytest.param(case, id=case.name) for case in CASES if case.name not in FOREIGN]


@pytest.mark.parametrize("case", STRICT)
def test_stop_under_load_loses_nothing(tmp_path, case):
    if case.missing:
        pytest.skip(case.missing)
    calls = []
    for seed in range(2):  # beside each other: what they do is mostly to wait
        directory = tmp_path / str(seed)
        directory.mkdir()
        calls.append(Call(stop_once, case.name, directory, SHORT, random.Random(seed)))
    for call in calls:
        stop = call.result()
        lost = stop.counts["failed"] + stop.counts["truncated"]
        assert (lost, stop.code) == (0, 0), "\n".join([*stop.details, stop.log])
        assert stop.counts["answered"] > 0


def test_account_sees_what_plain_waitress_loses(tmp_path):
    """The negative control: a server that ends at TERM cuts off what is running."""
    stop = stop_once("plain", tmp_path, SHORT, random.Random(1))
    assert stop.code == -signal.SIGTERM
    assert stop.counts["failed"] > 0
