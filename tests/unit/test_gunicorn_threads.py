"""gunicorn's executor on our pool."""

from __future__ import annotations

import threading

import pytest

from pastebox.runners.gunicorn_threads import Threads

BOUND_S = 20.0


def test_a_call_begins_when_it_is_handed_over():
    threads = Threads(2)
    future = threads.submit(divmod, 7, 2)
    assert not future.running()
    assert not future.done()
    threads.hand_over()
    assert future.result(BOUND_S) == (3, 1)


@pytest.mark.parametrize("error", [ValueError("one"), SystemExit(3)])
def test_an_error_is_the_futures(error):
    def fail():
        raise error

    threads = Threads(1)
    failing, next_one = threads.submit(fail), threads.submit(threading.get_ident)
    threads.hand_over()
    assert failing.exception(BOUND_S) is error
    assert next_one.result(BOUND_S), "its thread lives"


def test_a_call_that_was_taken_back_is_not_made():
    called = []
    threads = Threads(1)
    future = threads.submit(called.append, 1)
    assert future.cancel()
    threads.hand_over()
    last = threads.submit(len, called)
    threads.hand_over()
    assert last.result(BOUND_S) == 0
