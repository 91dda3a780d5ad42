"""The order of a stop, by a clock that the test moves."""

from __future__ import annotations

import pytest

from pastebox.daemon.order import StopOrder


class Stop:
    """A stop of three steps in 30 seconds, in which ``ended`` names who has ended."""

    def __init__(self, steps=(("a",), ("b", "c"), ("d",))) -> None:
        self.now = 100.0
        self.ended: set[str] = set()
        self.order = StopOrder(steps, 30.0, lambda: self.now)

    def due(self) -> list[str]:
        return self.order.due(lambda name: name in self.ended)


@pytest.fixture
def stop():
    return Stop()


def test_a_step_is_told_when_all_before_it_have_ended(stop):
    assert stop.due() == ["a"]
    assert stop.due() == []
    stop.ended = {"a"}
    assert stop.due() == ["b", "c"]
    stop.ended = {"a", "b"}
    assert stop.due() == []
    stop.ended = {"a", "b", "c"}
    assert stop.due() == ["d"]
    assert stop.due() == []


def test_a_step_is_told_when_its_share_begins_whoever_still_runs(stop):
    assert stop.due() == ["a"]
    stop.now += 9.9
    assert stop.due() == []
    stop.now += 0.1
    assert stop.due() == ["b", "c"]
    stop.now += 10
    assert stop.due() == ["d"]


def test_an_earlier_step_that_still_runs_counts_as_well(stop):
    assert stop.due() == ["a"]
    stop.now += 10
    assert stop.due() == ["b", "c"]
    stop.ended = {"b", "c"}
    assert stop.due() == []


def test_steps_without_programs_are_passed_over():
    assert Stop(steps=((), (), ("a",))).due() == ["a"]


def test_one_deadline_is_everybodys(stop):
    stop.due()
    stop.now += 25
    assert stop.order.deadline == 130.0


def test_hurry_tells_everybody_and_moves_the_deadline_only_towards_us(stop):
    stop.due()
    stop.order.hurry(2.0)
    assert stop.order.deadline == 102.0
    assert [stop.due(), stop.due()] == [["b", "c"], ["d"]]
    stop.order.hurry(50.0)
    assert stop.order.deadline == 102.0
