"""The shared counters: what workers count, the master reads, and nothing is lost with a worker."""

import os
import sys
import threading

import pytest

from pastebox.observe.counters import BUCKETS_S, CLASSES, Counters


def in_child(work):
    """Run ``work`` in a forked process and wait for its end."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def test_the_master_reads_what_a_forked_worker_counts():
    counters = Counters(2)

    def work():
        slot = counters.slot(1)
        slot.started()
        slot.finished(204, 7, 0.003)
        slot.started()

    in_child(work)
    total = counters.total()
    assert dict(zip(CLASSES, total.classes, strict=True))["2xx"] == 1
    assert (total.requests, total.in_flight, total.sent, total.seconds) == (1, 1, 7, 0.003)
    assert total.buckets[0] == 1
    assert counters.read(0).requests == 0
    assert counters.read(1).requests == 1


def test_a_dead_worker_leaves_its_counts_and_takes_its_requests_in_flight_along():
    counters = Counters(1)
    for generation in range(1, 4):
        index = counters.take()
        slot = counters.slot(index)
        slot.started()
        slot.started()
        slot.finished(500, 10, 1.0)
        assert counters.total().in_flight == 1
        counters.retire(index)
        counters.retire(index)
        total = counters.total()
        assert (total.requests, total.sent, total.in_flight) == (generation, 10 * generation, 0)


def test_totals_never_fall_while_workers_come_and_go():
    counters = Counters(3)
    last = (0, 0, 0.0)
    for _ in range(20):
        index = counters.take()
        slot = counters.slot(index)
        for _ in range(index + 2):
            slot.started()
            slot.finished(200, 5, 0.01)
            total = counters.total()
            assert (total.requests, total.sent, total.seconds) >= last
            last = (total.requests, total.sent, total.seconds)
        counters.retire(index)
        total = counters.total()
        assert (total.requests, total.sent, total.seconds) == last


def test_threads_of_one_worker_do_not_lose_counts():
    counters = Counters(1)
    slot = counters.slot(0)

    def work():
        for _ in range(5000):
            slot.started()
            slot.finished(200, 1, 0.0)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    total = counters.total()
    assert (total.requests, total.in_flight, total.sent) == (20000, 0, 20000)


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [
        pytest.param(0.0, 0, id="nothing"),
        pytest.param(BUCKETS_S[0], 0, id="the-end-belongs-to-the-bucket"),
        pytest.param(BUCKETS_S[0] + 1e-6, 1, id="just-beyond"),
        pytest.param(1000.0, len(BUCKETS_S), id="longer-than-all"),
    ],
)
def test_a_duration_falls_into_the_bucket_whose_end_is_not_before_it(seconds, bucket):
    counters = Counters(1)
    counters.slot(0).finished(200, 0, seconds)
    assert counters.total().buckets.index(1) == bucket


def test_values_of_a_broken_application_do_not_break_the_worker():
    counters = Counters(1)
    slot = counters.slot(0)
    for status in (0, 99, 600, 999, -5):
        slot.started()
        slot.finished(status, -1, -0.5)
    total = counters.total()
    assert total.classes[0] == 5
    assert (total.sent, total.seconds, total.in_flight) == (0, 0.0, 0)


def test_taking_more_slots_than_there_are_is_an_error():
    counters = Counters(1)
    counters.take()
    with pytest.raises(IndexError):
        counters.take()
    with pytest.raises(IndexError):
        counters.slot(1)


def test_a_limited_slot_tells_its_end_once_and_again_a_hundred_requests_later():
    told = []
    slot = Counters(1).slot(0, 3, lambda: told.append(True))
    for number in range(1, 104):
        slot.finished(200, 0, 0.0)
        assert len(told) == (number >= 3) + (number >= 103)


def test_many_at_a_time_count_as_they_do_one_by_one():
    apart, together = Counters(1), Counters(1)
    one, many = apart.slot(0), together.slot(0)
    ended = [(200, 5, 0.001), (200, 0, 0.2), (404, 9, 0.005), (99, 1, 99.0), (503, 2, 0.0)]
    for status, size, seconds in ended:
        one.started()
        one.finished(status, size, seconds)
    one.started()
    many.catch_up(*map(list, zip(*ended[:2], strict=True)), in_flight=4)
    assert together.total().in_flight == 4
    many.catch_up(*map(list, zip(*ended[2:], strict=True)), in_flight=1)
    many.catch_up([], [], [], in_flight=1)
    assert together.total() == apart.total()


def test_a_limited_slot_tells_its_end_when_many_are_counted_at_a_time():
    told = []
    slot = Counters(1).slot(0, 3, lambda: told.append(True))
    for count, expected in ((2, 0), (5, 1), (50, 1), (60, 2), (0, 2), (1, 2), (300, 3)):
        slot.catch_up([200] * count, [0] * count, [0.0] * count, in_flight=0)
        assert len(told) == expected


def test_what_is_a_state_and_no_count_goes_with_its_worker():
    counters = Counters(2)
    slot = counters.slot(0)
    slot.show_threads(4)
    slot.show_stuck(1)
    for _ in range(4):
        assert not counters.read(0).is_busy
        slot.started()
    assert counters.read(0).is_busy
    assert (counters.total().threads, counters.total().stuck) == (4, 1)
    counters.retire(0)
    assert (counters.total().threads, counters.total().stuck) == (0, 0)


def test_who_speaks_for_others_keeps_its_own_number_of_threads():
    theirs, ours = Counters(1), Counters(1)
    theirs.slot(0).show_threads(1)
    theirs.slot(0).show_stuck(1)
    slot = ours.slot(0)
    slot.show_threads(50)
    slot.show(theirs.sums())
    assert (ours.total().threads, ours.total().stuck) == (50, 1)
