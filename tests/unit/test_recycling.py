"""Recycling decides by what workers say; the loop and the workers are stand-ins."""

import pytest

from pastebox.config.model import ServerSpec
from pastebox.errors import ConfigError
from pastebox.master.prepare import recycled_by_itself
from pastebox.master.recycling import FIRST_DELAY_S, Recycling, limit_of
from pastebox.observe.status import Status
from pastebox.option import Given
from pastebox.settings import Settings

FAILED = 70 << 8


class FakeWorker:
    def __init__(self, pid, place):
        self.pid, self.place = pid, place
        self.is_spent = self.is_leaving = False
        self.drained = []

    def order_drain(self, seconds):
        self.drained.append(seconds)


class FakeLoop:
    def __init__(self):
        self.timers = []

    def call_later(self, seconds, callback):
        self.timers.append((seconds, callback))


class Fleet:
    """Three workers and their recycling; ``started`` has the successors."""

    def __init__(self):
        self.loop, self.started = FakeLoop(), []
        self.workers = [FakeWorker(10 + place, place) for place in range(3)]
        self.recycling = Recycling(self.loop, Status(), None, self.start)
        self.is_stopping = False

    def start(self, _generation, place):
        if self.is_stopping:
            return None
        self.started.append(FakeWorker(100 + len(self.started), place))
        return self.started[-1]


@pytest.fixture
def fleet():
    return Fleet()


def test_one_at_a_time_though_all_are_spent_at_once(fleet):
    for worker in fleet.workers:
        fleet.recycling.spent(worker)
        fleet.recycling.spent(worker)  # said again
    assert [one.place for one in fleet.started] == [0]
    for number, worker in enumerate(fleet.workers):
        assert not worker.drained
        fleet.recycling.ready(fleet.started[number])
        assert worker.drained
        assert len(fleet.started) == number + 1, "the next one waits for its end"
        assert fleet.recycling.ended(worker, 0)
    assert [one.place for one in fleet.started] == [0, 1, 2]


def test_a_failing_successor_is_tried_again_later_and_later(fleet):
    worker = fleet.workers[0]
    fleet.recycling.spent(worker)
    for number in range(3):
        assert fleet.recycling.ended(fleet.started[-1], FAILED)
        seconds, again = fleet.loop.timers[-1]
        assert seconds == FIRST_DELAY_S * 2**number
        assert len(fleet.started) == number + 1
        again()
        assert len(fleet.started) == number + 2
    assert not worker.drained
    fleet.recycling.ready(fleet.started[-1])
    assert worker.drained


def test_another_one_that_is_spent_waits_for_the_back_off_too(fleet):
    fleet.recycling.spent(fleet.workers[0])
    fleet.recycling.ended(fleet.started[0], FAILED)
    fleet.recycling.spent(fleet.workers[1])
    assert len(fleet.started) == 1


def test_one_that_dies_before_its_turn_is_an_ordinary_death(fleet):
    fleet.recycling.spent(fleet.workers[0])
    fleet.recycling.spent(fleet.workers[1])
    assert not fleet.recycling.ended(fleet.workers[1], 9)
    fleet.recycling.ready(fleet.started[0])
    fleet.recycling.ended(fleet.workers[0], 0)
    assert len(fleet.started) == 1


def test_one_that_dies_while_its_successor_loads_leaves_an_ordinary_worker(fleet):
    fleet.recycling.spent(fleet.workers[0])
    assert not fleet.recycling.ended(fleet.workers[0], 9)
    fleet.recycling.ready(fleet.started[0])
    assert not fleet.recycling.ended(fleet.started[0], FAILED)


def test_nothing_begins_during_a_stop(fleet):
    fleet.is_stopping = True
    fleet.recycling.spent(fleet.workers[0])
    assert not fleet.started


def test_the_jitter_is_added():
    found = {limit_of(10, 2) for _ in range(500)}
    assert found == {10, 11, 12}


def given(**values):
    return Settings({name: Given(text, "environment X") for name, text in values.items()})


SPEC = ServerSpec("s", "s", "server:main", "app.ini", {"max_requests": "7"}, {}, {})
NAMES = ("max_requests", "max_requests_jitter")


def test_a_server_that_recycles_by_itself_is_told_unless_its_section_says_it():
    settings = given(max_requests="5", max_requests_jitter="3")
    silent = recycled_by_itself(SPEC._replace(options={}), settings, NAMES)
    assert silent.options == {"max_requests": "5", "max_requests_jitter": "3"}
    assert silent.origins["max_requests"].text == "environment X"
    assert recycled_by_itself(SPEC, settings, NAMES).options == SPEC.options
    assert recycled_by_itself(SPEC, settings, None) is SPEC


def test_a_server_that_cannot_be_recycled_refuses_the_setting():
    with pytest.raises(ConfigError, match="cannot be used with the server s"):
        recycled_by_itself(SPEC, given(max_requests="5"), ())
