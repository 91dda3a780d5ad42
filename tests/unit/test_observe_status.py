"""The status: which facts make the service started, live and ready."""

import pytest

from pastebox.observe import status as phases
from pastebox.observe.counters import Counters
from pastebox.observe.status import CRASH_LOOP_DEATHS, CRASH_LOOP_S, PHASES, Status


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def wall(self):
        return self.now + 1_700_000_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def status(clock):
    return Status(clock, wall=clock.wall, watchdog_s=30.0)


def serve(status, generation=1, pid=100):
    status.enter(phases.LOADING)
    status.generation_started(generation)
    status.worker_started(0, pid)
    status.generation_ready(generation)
    status.enter(phases.SERVING)


def failing(status):
    return [check.name for check in status.checks() if not check.ok]


def test_before_a_generation_serves_it_is_live_but_neither_started_nor_ready(status):
    for phase in (phases.WAITING, phases.MAKE_CONFIG, phases.SETUP_APP, phases.LOADING):
        status.enter(phase)
        assert status.live
        assert not status.started
        assert not status.ready


def test_it_is_ready_once_a_generation_serves(status):
    serve(status)
    assert status.started
    assert status.ready
    assert failing(status) == []


def test_a_drain_ends_readiness_and_not_liveness(status, clock):
    serve(status)
    status.drain_started()
    assert failing(status) == ["draining"]
    assert status.live
    assert status.started
    clock.now += 2.5
    status.drain_ended(3)
    status.enter(phases.STOPPED)
    assert not status.ready
    snapshot = status.snapshot()
    assert (snapshot.drains, snapshot.last_drain_s, snapshot.cut_off) == (1, 2.5, 3)


def test_it_stays_ready_while_a_reload_loads_and_after_it_failed(status):
    serve(status)
    status.enter(phases.LOADING)
    status.generation_started(2)
    status.worker_started(1, 200)
    assert status.ready
    status.generation_failed(2, "exit 70")
    status.worker_ended(1, 200, "exit 70")
    assert status.ready
    snapshot = status.snapshot()
    assert (snapshot.reload_failures, snapshot.worker_restarts, snapshot.loading) == (1, 0, 0)
    assert "exit 70" in snapshot.troubles[0].text


def test_the_old_generations_end_after_a_reload_is_no_restart(status):
    serve(status)
    status.generation_started(2)
    status.worker_started(1, 200)
    status.generation_ready(2)
    status.worker_ended(0, 100, "exit 0")
    assert status.snapshot().worker_restarts == 0
    assert status.ready


def test_a_worker_that_ends_in_a_drain_is_no_restart(status):
    serve(status)
    status.drain_started()
    status.worker_ended(0, 100, "exit 0")
    snapshot = status.snapshot()
    assert snapshot.worker_restarts == 0
    assert snapshot.troubles == ()


def test_without_a_living_worker_it_is_not_ready(status):
    serve(status)
    status.worker_ended(0, 100, "killed by signal 9")
    assert failing(status) == ["workers"]
    assert status.snapshot().worker_restarts == 1
    status.worker_started(0, 101)
    assert status.ready


def test_a_worker_that_falls_silent_is_stuck(status, clock):
    serve(status)
    status.worker_heartbeat(100)
    clock.now += 30
    assert status.live
    clock.now += 1
    assert not status.live
    assert status.dead_reason == "worker 100 is stuck: no heartbeat for 31 s"
    status.worker_heartbeat(100)
    assert status.live


def test_a_worker_that_never_sent_a_heartbeat_is_not_stuck(status, clock):
    serve(status)
    clock.now += 10_000
    assert status.live


def test_a_drain_may_take_longer_than_the_watchdog(status, clock):
    serve(status)
    status.worker_heartbeat(100)
    status.drain_started()
    clock.now += 100
    assert status.live


def test_an_old_generation_that_drains_is_not_watched(status, clock):
    serve(status)
    status.worker_heartbeat(100)
    status.generation_started(2)
    status.worker_started(1, 200)
    status.generation_ready(2)
    clock.now += 100
    assert status.live


def test_workers_that_die_again_and_again_are_a_crash_loop_until_they_stop_dying(status, clock):
    serve(status)
    for pid in range(100, 100 + CRASH_LOOP_DEATHS):
        assert status.live
        status.worker_ended(0, pid, "exit 1")
        status.worker_started(0, pid + 1)
        clock.now += 1
    assert not status.live
    assert status.dead_reason.startswith("crash loop")
    clock.now += CRASH_LOOP_S
    assert status.live


def test_deaths_far_apart_are_no_crash_loop(status, clock):
    serve(status)
    for pid in range(100, 110):
        clock.now += CRASH_LOOP_S
        status.worker_ended(0, pid, "exit 1")
        status.worker_started(0, pid + 1)
    assert status.live
    assert status.snapshot().worker_restarts == 10


def test_phases_are_timed_and_the_present_one_goes_on(status, clock):
    clock.now += 1
    status.enter(phases.SETUP_APP, "wiki")
    clock.now += 30
    status.progress("tables")
    status.enter(phases.SETUP_APP, "pages")
    clock.now += 5
    snapshot = status.snapshot()
    assert snapshot.spent == {"starting": 1.0, "setup-app": 35.0}
    assert (snapshot.phase, snapshot.detail) == ("setup-app", "pages")
    assert snapshot.since == pytest.approx(clock.wall() - 35)
    assert [fact.phase for fact in snapshot.history] == ["starting"]


def test_start_up_is_timed_once(status, clock):
    clock.now += 4
    serve(status)
    clock.now += 60
    serve(status, generation=2, pid=200)
    assert status.snapshot().started_after_s == 4.0


def test_sleep_mode_counts_as_started_but_gets_no_requests(status):
    status.enter(phases.SLEEPING)
    assert status.started
    assert status.live
    assert not status.ready


def test_an_unknown_phase_is_a_defect(status):
    with pytest.raises(ValueError, match="dancing"):
        status.enter("dancing")
    assert len(set(PHASES)) == len(PHASES)


def test_a_worker_that_ended_gives_its_counters_up(status):
    status.counters = Counters(1)
    serve(status)
    slot = status.counters.slot(0)
    slot.started()
    slot.finished(200, 5, 0.1)
    slot.started()
    assert status.snapshot().workers[0].totals.in_flight == 1
    status.worker_ended(0, 100, "killed by signal 9")
    totals = status.snapshot().totals
    assert (totals.requests, totals.in_flight) == (1, 0)


def test_what_is_kept_is_bounded(status, clock):
    for number in range(200):
        clock.now += 1
        status.enter(phases.WAITING if number % 2 else phases.HOOK)
        status.trouble(f"trouble {number}")
    snapshot = status.snapshot()
    assert len(snapshot.history) == 32
    assert len(snapshot.troubles) == 10
    assert snapshot.troubles[-1].text == "trouble 199"
