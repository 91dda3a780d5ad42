"""One point in monotonic time, handed down."""

import math

import pytest

from pastebox.process.deadline import Deadline


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_remaining_shrinks_to_nothing():
    clock = Clock()
    deadline = Deadline.after(5, clock)
    assert (deadline.at, deadline.remaining, deadline.has_passed) == (105.0, 5.0, False)
    clock.now = 105.0
    assert (deadline.remaining, deadline.has_passed) == (0.0, True)
    clock.now = 200.0
    assert deadline.remaining == 0.0


def test_never():
    assert not Deadline.never().has_passed
    assert Deadline.never().remaining == math.inf
    assert Deadline.after(math.inf).remaining == math.inf


@pytest.mark.parametrize(("seconds", "at"), [(1, 101.0), (50, 105.0)])
def test_sooner_is_whichever_comes_first(seconds, at):
    assert Deadline.after(5, Clock()).sooner(seconds).at == at
