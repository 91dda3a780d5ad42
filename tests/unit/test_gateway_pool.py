"""How many threads the gateway starts."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator

import pytest

from pastebox.gateway.limits import Limits
from pastebox.gateway.pool import Pool

BOUND_S = 20.0


class Held:
    """Tasks that stay in their threads until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._is_over = threading.Event()

    def __call__(self) -> None:
        self.begun.release()
        self._is_over.wait(BOUND_S)

    def let_go(self) -> None:
        self._is_over.set()


@pytest.fixture
def held() -> Iterator[Held]:
    one = Held()
    yield one
    one.let_go()


def pool_of(cpu_clock, **limits: int) -> Pool:
    pool = Pool(Limits(**limits), cpu_clock=cpu_clock)
    pool.patience_s = 1.0
    return pool


def test_there_are_never_more_threads_than_requests(held):
    """Under load something always waits: each look would start as many threads once more."""
    pool = pool_of(lambda: 0.0)
    for _ in range(5):
        pool.add(held)
    pool.tend(-1.0)
    assert held.begun.acquire(timeout=BOUND_S)
    for now in range(20):
        pool.tend(float(now))
    assert [held.begun.acquire(timeout=BOUND_S) for _ in range(4)] == [True] * 4
    assert pool.threads == 5
    assert not pool.tend(21.0)


def test_a_thread_that_waits_for_something_gets_company_after_a_moment(held):
    pool = pool_of(lambda: 0.0, max_threads=2)
    for _ in range(3):
        pool.add(held)
    assert pool.tend(0.0)
    assert held.begun.acquire(timeout=BOUND_S)
    assert pool.tend(0.5)
    assert pool.threads == 1
    assert pool.tend(1.0)
    assert pool.threads == 2
    assert held.begun.acquire(timeout=BOUND_S)
    assert pool.tend(2.0)
    assert pool.threads == 2


@pytest.mark.parametrize(
    ("cpu_s", "taken", "threads"),
    [
        pytest.param(0.9, 10, 1, id="busy, and soon at its end"),
        pytest.param(0.9, 2, 2, id="busy, but it takes long"),
        pytest.param(0.9, 0, 2, id="busy, and nothing moves"),
        pytest.param(0.0, 10, 2, id="idle, and not soon at its end"),
        pytest.param(0.0, 100, 1, id="idle, and soon at its end"),
    ],
)
def test_threads_that_would_only_fight_for_the_processor_are_not_started(
    held, cpu_s, taken, threads
):
    cpu = iter([0.0, cpu_s, cpu_s])
    pool = pool_of(lambda: next(cpu), max_threads=10)
    pool.add(held)
    pool.tend(-1.0)
    assert held.begun.acquire(timeout=BOUND_S)
    pool.add(held)
    pool.tend(0.0)
    pool._taken += taken
    pool.tend(1.0)
    assert pool.threads == threads


def test_short_tasks_are_done_before_the_io_thread_goes_on(monkeypatch):
    """It would only take the interpreter from them."""
    monkeypatch.setattr("pastebox.gateway.turns._TURN_S", BOUND_S)
    pool = pool_of(lambda: 0.0)
    done = []
    for number in range(20):
        pool.add(functools.partial(done.append, number))
    assert not done
    assert not pool.tend(0.0)
    assert done == list(range(20))
