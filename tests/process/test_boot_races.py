"""Starts at the same time on one volume, and starts that wait for others."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest
from boot_volume import Volume, finish

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "soak"))

from boot_races import race

pytestmark = pytest.mark.process


@pytest.fixture
def volume(tmp_path) -> Volume:
    return Volume(str(tmp_path))


@pytest.mark.parametrize("has_ini", [True, False], ids=["mounted INI", "no INI"])
def test_starts_at_once_set_up_once(volume, has_ini) -> None:
    if has_ini:
        volume.write_ini()
    assert race(volume, 5).wrong == []


def test_a_leader_that_is_killed_in_its_setup_is_followed_by_one_other(volume) -> None:
    volume.write_ini("first-hangs")
    assert race(volume, 5, kills=True).wrong == []


def test_one_killed_among_many_does_not_spoil_the_others(volume) -> None:
    killed = volume.start(PASTEBOX_FAULTS="after-journal-running", PASTEBOX_ALLOW_FAULTS="1")
    others = [volume.start() for _ in range(3)]
    assert finish(killed).code in (0, -signal.SIGKILL)  # 0: another one had done it before
    assert [finish(process).code for process in others] == [0, 0, 0]
    assert volume.runs() == 1


def hanging(volume: Volume, how: str = "hang", **environ: str):
    """Start a setup that hangs, and return when it does."""
    volume.write_ini(how)
    process = volume.start(**environ)
    assert process.stdout is not None
    assert process.stdout.readline() == "hanging\n"
    return process


def test_a_start_that_waits_in_vain_for_the_lock_says_for_whom(volume) -> None:
    holder = hanging(volume)
    try:
        waiting = volume.boot(PASTEBOX_LOCK_TIMEOUT="500ms")
        assert waiting.code == 75, waiting.log
        assert f"the lock is still held by pid {holder.pid} on " in waiting.log
        assert f"waiting: waiting for the lock held by pid {holder.pid}" in waiting.log
    finally:
        holder.send_signal(signal.SIGTERM)
        finish(holder)


def test_a_killed_start_keeps_others_out_while_its_setup_still_runs(volume) -> None:
    """The step child holds the lock too: nobody sets up beside an orphan."""
    holder = hanging(volume)
    children = _children(holder.pid)
    holder.kill()
    holder.wait(timeout=30)
    try:
        assert volume.boot(PASTEBOX_LOCK_TIMEOUT="300ms").code == 75
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        finish(holder)  # the step had its pipes too
    volume.write_ini("well")
    assert volume.boot().code == 0
    assert volume.effect() == ["effect"]


def test_wait_returns_when_another_start_has_set_up(volume) -> None:
    volume.write_ini()
    waiting = volume.start(PASTEBOX_SETUP="wait")
    assert waiting.stderr is not None
    assert waiting.stderr.readline().startswith("waiting: waiting for another start to set up")
    assert volume.boot().code == 0
    ended = finish(waiting)
    assert (ended.code, ended.outcome["steps"], ended.outcome["ready"]) == (0, [], True)
    assert volume.runs() == 1


def test_wait_without_an_ini_takes_the_one_that_another_start_makes(volume) -> None:
    waiting = volume.start(PASTEBOX_SETUP="wait")
    assert waiting.stderr is not None
    waiting.stderr.readline()
    made = volume.boot()
    ended = finish(waiting)
    assert ended.code == 0, ended.log
    assert ended.outcome["spec"] == made.outcome["spec"]


def test_wait_ends_with_75_when_nobody_sets_up(volume) -> None:
    volume.write_ini()
    ended = volume.boot(PASTEBOX_SETUP="wait", PASTEBOX_LOCK_TIMEOUT="300ms")
    assert ended.code == 75
    assert "no other start has finished the setup" in ended.log
    assert not os.path.exists(volume.state)


def test_with_lock_none_a_living_holder_is_not_overrun(volume) -> None:
    holder = hanging(volume, PASTEBOX_LOCK="none")
    try:
        refused = volume.boot(PASTEBOX_LOCK="none")
        assert refused.code == 75
        assert (
            f"another start is setting up (running at step setup-app, pid {holder.pid}"
            in refused.log
        )
    finally:
        holder.send_signal(signal.SIGTERM)
        finish(holder)
    volume.write_ini("well")
    assert volume.boot(PASTEBOX_LOCK="none").code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_stop_during_setup_ends_the_step_and_is_journalled(volume, number) -> None:
    process = hanging(volume)
    children = _children(process.pid)
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == 75, ended.log
    assert f"setup-app was interrupted by {number.name}" in ended.log
    assert volume.journal().state == "failed"
    assert not any(os.path.exists(f"/proc/{pid}") for pid in children)


def test_a_second_stop_does_not_wait_for_a_step_that_ignores_the_first(volume) -> None:
    process = hanging(volume, "hang-hard")
    (step,) = _children(process.pid)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    # Signals that come while the first one is pending are one with it.
    while os.path.exists(f"/proc/{step}") and time.monotonic() < began + 10:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    assert finish(process).code == 75
    assert time.monotonic() - began < 4
    assert volume.journal().state == "failed"


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(text) for text in file.read().split()]
