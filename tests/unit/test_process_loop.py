"""Readiness and timers, one callback at a time."""

import os

import pytest

from pastebox.process.loop import Loop


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_timers_run_in_order_of_time_then_of_asking(loop):
    seen = []
    loop.call_later(0.02, lambda: seen.append("late"))
    loop.call_later(0, lambda: seen.append("first"))
    loop.call_later(0, lambda: seen.append("second"))
    loop.call_later(0.03, loop.stop)
    loop.run()
    assert seen == ["first", "second", "late"]


def test_cancelled_timer_is_not_called(loop):
    timer = loop.call_later(0, lambda: pytest.fail("called"))
    timer.cancel()
    timer.cancel()
    loop.call_later(0.01, loop.stop)
    loop.run()


def test_timer_may_cancel_the_next(loop):
    timers = []
    loop.call_later(0, lambda: timers[0].cancel())  # noqa: PLW0108  # not there yet
    timers.append(loop.call_later(0, lambda: pytest.fail("called")))
    loop.call_later(0.01, loop.stop)
    loop.run()


def test_timer_of_a_clock_that_stands_still_waits():
    clock = Clock()
    loop = Loop(clock)
    seen = []
    loop.call_later(5, lambda: seen.append(1))
    loop.step(0)
    assert seen == []
    clock.now = 5
    loop.step(0)
    assert seen == [1]
    loop.close()


def test_readable_until_taken_back(loop, pipe):
    seen = []
    loop.on_readable(pipe[0], lambda: seen.append(os.read(pipe[0], 10)))
    os.write(pipe[1], b"a")
    loop.step(1)
    loop.on_readable(pipe[0], None)
    os.write(pipe[1], b"b")
    loop.step(0)
    assert seen == [b"a"]


def test_interest_that_an_earlier_callback_ended_is_not_called(loop):
    one, two = os.pipe(), os.pipe()
    os.write(one[1], b"x")
    os.write(two[1], b"x")
    seen = []

    def end(mine, other):
        seen.append(mine)
        loop.forget(other)

    loop.on_readable(one[0], lambda: end("one", two[0]))
    loop.on_readable(two[0], lambda: end("two", one[0]))
    loop.step(1)
    assert len(seen) == 1
    for end_ in (*one, *two):
        os.close(end_)


def test_both_interests_in_one_descriptor(loop):
    import socket

    ours, theirs = socket.socketpair()
    theirs.send(b"x")
    seen = []
    loop.on_readable(ours.fileno(), lambda: seen.append("in"))
    loop.on_writable(ours.fileno(), lambda: seen.append("out"))
    loop.step(1)
    assert sorted(seen) == ["in", "out"]
    loop.on_writable(ours.fileno(), None)
    loop.step(1)
    assert sorted(seen) == ["in", "in", "out"]
    loop.forget(ours.fileno())
    loop.forget(ours.fileno())
    ours.close()
    theirs.close()
