"""Requests that run for too long: told once, with the stack, and again at their end."""

import threading

import pytest

from pastebox.process.stacks import Running, stack_of
from pastebox.runners.watch import Watch


class Case:
    def __init__(self):
        self.now, self.running, self.shown = 100.0, [], []
        self.watch = Watch(60.0, lambda: self.running, self.shown.append, lambda: self.now)


@pytest.fixture
def case():
    return Case()


def here(since, path="/x"):
    return Running(threading.get_ident(), since, "GET", path)


def test_with_nothing_to_see_it_sleeps_as_long_as_a_request_may_run(case, caplog):
    assert case.watch.look() == 60.0
    case.running = [here(90.0), here(70.0)]
    assert case.watch.look() == 30.0
    assert not caplog.records


def test_a_request_is_told_once_with_its_stack_and_once_at_its_end(case, caplog):
    case.running = [here(40.0)]
    for _ in range(3):
        assert case.watch.look() <= 1.0
        case.now += 1.0
    (told,) = caplog.messages
    assert told.startswith("request runs for too long method=GET path=/x seconds=60.0 thread=Main")
    assert "test_a_request_is_told_once" in told
    caplog.clear()
    case.running = []
    assert case.watch.look() == 60.0
    (told,) = caplog.messages
    assert told.startswith("request that ran for too long has finished method=GET path=/x ")
    assert "seconds=63.0" in told
    assert case.shown == [1, 0]


def test_the_next_request_of_the_same_thread_is_another_one(case, caplog):
    case.running = [here(0.0)]
    case.watch.look()
    case.running = [here(30.0)]
    case.watch.look()
    told = [message.startswith("request runs for too long") for message in caplog.messages]
    assert told == [True, True, False]


def test_a_path_cannot_break_the_line_of_the_log():
    assert "path=/a\\nerror" in here(0.0, "/a\nerror").told(1.0)


def test_a_thread_that_is_gone_has_no_stack():
    assert stack_of(0) == ""
