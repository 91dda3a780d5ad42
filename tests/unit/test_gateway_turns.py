"""When the I/O thread leaves the interpreter to those it has given something to do."""

from __future__ import annotations

import itertools
import threading

import pytest

from pastebox.gateway import turns
from pastebox.gateway.turns import Turns

BOUND_S = 20.0


def sleeping() -> float:
    return 0.0


@pytest.fixture
def long_turn(monkeypatch):
    monkeypatch.setattr(turns, "_TURN_S", BOUND_S)


@pytest.fixture
def short_turn(monkeypatch):
    monkeypatch.setattr(turns, "_TURN_S", 0.001)


def done_by_another(one: Turns, count: int) -> None:
    thread = threading.Thread(target=lambda: [one.done() for _ in range(count)])
    thread.start()
    thread.join(BOUND_S)


def test_it_goes_on_as_soon_as_all_are_done(long_turn):
    one = Turns(cpu_clock=sleeping)
    one.announce(3)
    done_by_another(one, 3)
    assert one.leave()
    assert one.is_patient


def test_tasks_of_before_are_not_waited_for(short_turn, monkeypatch):
    one = Turns(cpu_clock=sleeping)
    one.announce(1)
    assert not one.leave()
    while not one.is_patient:
        assert not one.leave()
    monkeypatch.setattr(turns, "_TURN_S", BOUND_S)
    one.announce(1)
    done_by_another(one, 1)
    assert one.leave(), "the first one still runs"


def test_waiting_in_vain_is_left_out_twice_as_often_each_time(short_turn):
    one = Turns(cpu_clock=sleeping)
    for times in (1, 2, 4, 8, 16, 32, 64, 64):
        one.announce(1)
        assert not one.leave()
        for _ in range(times):
            assert not one.is_patient
            one.leave()
        assert one.is_patient


def test_one_success_forgets_all_of_that(short_turn, monkeypatch):
    one = Turns(cpu_clock=sleeping)
    for _ in range(2):
        one.announce(1)
        while not one.leave() and not one.is_patient:
            pass
    monkeypatch.setattr(turns, "_TURN_S", BOUND_S)
    one.announce(1)
    done_by_another(one, 1)
    assert one.leave()
    monkeypatch.setattr(turns, "_TURN_S", 0.001)
    one.announce(1)
    assert not one.leave()
    assert not one.leave()
    assert one.is_patient


def test_tasks_that_compute_get_no_company(short_turn):
    """More threads would make it longer for all of them."""
    clock = itertools.count().__next__
    one = Turns(cpu_clock=clock)
    one.announce(1)
    assert one.leave()
    assert one.is_patient


def test_an_end_after_the_wait_does_not_end_the_next_one(short_turn):
    one = Turns(cpu_clock=sleeping)
    one.announce(1)
    assert not one.leave()
    done_by_another(one, 1)
    while not one.is_patient:
        one.leave()
    one.announce(1)
    assert not one.leave(), "nothing was done since"
