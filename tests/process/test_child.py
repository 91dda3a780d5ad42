"""A child: what it starts with, how it ends, and what becomes of signals meanwhile."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pastebox.process import child as children
from pastebox.process.child import run_child, start_child
from pastebox.process.deadline import Deadline

pytestmark = pytest.mark.process

LONG = 30.0


def run(target, seconds: float = LONG, **options):
    return run_child("step", target, deadline=Deadline.after(seconds), **options)


def forever() -> int:
    while True:
        signal.pause()


def deaf(ready: int) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(ready, b"x")
    return forever()


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(children, "GRACE_S", 0.2)


def leave(code: object) -> int:
    raise SystemExit(code)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        pytest.param(lambda: 0, 0, id="well"),
        pytest.param(lambda: 7, 7, id="status"),
        pytest.param(lambda: leave(4), 4, id="SystemExit"),
        pytest.param(lambda: leave(None), 0, id="SystemExit without status"),
        pytest.param(lambda: leave("a text"), 1, id="SystemExit with a text"),
        pytest.param(lambda: 1 // 0, 1, id="exception"),
        pytest.param(lambda: os._exit(9), 9, id="gone without a word"),
    ],
)
def test_the_end_of_a_child_is_its_exit_status(target, code) -> None:
    result = run(target)
    assert (result.code, result.signal, result.timed_out) == (code, None, False)


def test_what_a_child_raises_is_printed(capfd) -> None:
    run(lambda: 1 // 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_child_killed_by_a_signal_says_so() -> None:
    result = run(lambda: os.kill(os.getpid(), signal.SIGSEGV) or 0)
    assert (result.code, result.signal) == (139, signal.SIGSEGV)


def test_output_before_the_fork_is_printed_once(capfd) -> None:
    sys.stdout.write("once\n")
    run(lambda: 0)
    assert capfd.readouterr().out == "once\n"


def test_a_child_has_default_handlers_a_group_of_its_own_and_nothing_blocked(pipe) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:

        def target() -> int:
            facts = (
                signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL,
                signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
                signal.getsignal(signal.SIGINT) is signal.SIG_DFL,
                os.getpgrp() == os.getpid(),
                not signal.pthread_sigmask(signal.SIG_BLOCK, ()),
            )
            os.write(pipe[1], bytes(facts))
            return 0

        run(target)
        assert os.read(pipe[0], 16) == bytes([True] * 5)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_descriptors_are_closed_in_the_child_on_demand(pipe) -> None:
    def target() -> int:
        try:
            os.fstat(pipe[0])
        except OSError:
            return 3
        return 0

    pid = start_child(target, close=(pipe[0],))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.fstat(pipe[0])


def test_a_child_past_its_deadline_gets_term() -> None:
    began = time.monotonic()
    result = run(forever, 0.1)
    assert (result.timed_out, result.signal) == (True, signal.SIGTERM)
    assert time.monotonic() - began < children.GRACE_S


@pytest.mark.usefixtures("quick")
def test_a_child_that_ignores_term_is_killed_after_the_grace(pipe) -> None:
    result = run(lambda: deaf(pipe[1]), 0.3)
    assert (result.timed_out, result.signal) == (True, signal.SIGKILL)


@pytest.mark.usefixtures("quick")
def test_what_the_child_started_ends_with_it(pipe) -> None:
    readable, writable = pipe

    def target() -> int:
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(writable, str(os.getpid()).encode())
            forever()
        return forever()

    assert run(target, 0.5).timed_out
    grandchild = int(os.read(readable, 32))
    deadline = Deadline.after(10)
    while _is_running(grandchild) and not deadline.has_passed:
        time.sleep(0.01)
    assert not _is_running(grandchild)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def signaller(ready: int, number: int, *, times: int = 1) -> int:
    """Fork a process that signals this one once ``ready`` says so; return its pid."""
    parent = os.getpid()

    def target() -> int:
        os.read(ready, 1)
        for _ in range(times):
            os.kill(parent, number)
            time.sleep(0.2)  # two pending signals of a kind are one
        return 0

    return start_child(target)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_a_stop_is_passed_on_and_told(pipe, number) -> None:
    helper = signaller(pipe[0], number)

    def target() -> int:
        os.write(pipe[1], b"x")
        return forever()

    result = run(target)
    os.waitpid(helper, 0)
    assert (result.interrupted_by, result.signal) == (number, signal.SIGTERM)
    assert not result.timed_out


def test_a_second_stop_kills_at_once(pipe) -> None:
    helper = signaller(pipe[0], signal.SIGTERM, times=2)
    began = time.monotonic()
    result = run(lambda: deaf(pipe[1]))
    os.waitpid(helper, 0)
    assert (result.interrupted_by, result.signal) == (signal.SIGTERM, signal.SIGKILL)
    assert time.monotonic() - began < children.GRACE_S


def test_a_stop_in_the_last_moment_is_not_lost(monkeypatch) -> None:
    """It comes when the child has ended, and the handlers of before are not back yet."""
    real = children.exit_code_of

    def stopped_meanwhile(status: int) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        return real(status)

    monkeypatch.setattr(children, "exit_code_of", stopped_meanwhile)
    result = run(lambda: 0)
    assert (result.code, result.interrupted_by) == (0, signal.SIGTERM)


def test_the_handlers_of_before_are_back_afterwards() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
    before = [signal.getsignal(number) for number in numbers]
    run(lambda: 0)
    assert [signal.getsignal(number) for number in numbers] == before


def test_progress_is_told_while_the_child_runs(monkeypatch) -> None:
    monkeypatch.setattr(children, "PROGRESS_S", 0.05)
    readable, writable = os.pipe()
    told = []

    def on_progress() -> None:
        told.append(1)
        if len(told) == 3:
            os.write(writable, b"x")

    assert run(lambda: os.read(readable, 1)[0] and 0, on_progress=on_progress).code == 0
    assert len(told) >= 3
    os.close(readable)
    os.close(writable)


def test_no_zombie_and_no_descriptor_is_left() -> None:
    before, children = os.listdir("/proc/self/fd"), _children()
    for _ in range(20):
        run(lambda: 0)
    assert os.listdir("/proc/self/fd") == before
    assert _children() <= children  # other tests of this process may have theirs


def _children() -> set[str]:
    return set(Path("/proc/thread-self/children").read_text().split())
