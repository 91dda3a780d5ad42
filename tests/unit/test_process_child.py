"""Forked children: their signals, their status, their end in time."""

import os
import signal
import sys
import time

import pytest
from app_process import is_running, wait_until

from pastebox.process.child import run_child, start_child
from pastebox.process.deadline import Deadline
from pastebox.process.signals import (
    STOPPING,
    SignalQueue,
    describe_status,
    exit_code_of,
    leave_to_parent,
)

pytestmark = pytest.mark.process


def status_of(target):
    return os.waitpid(start_child(target), 0)[1]


def exits(code):
    def target():
        raise SystemExit(code)

    return target


STATUSES = [
    pytest.param(lambda: 0, 0, id="0"),
    pytest.param(lambda: 7, 7, id="7"),
    pytest.param(exits(3), 3, id="SystemExit(3)"),
    pytest.param(exits(None), 0, id="SystemExit()"),
    pytest.param(exits("words"), 1, id="SystemExit of words"),
    pytest.param(lambda: 1 / 0, 1, id="raises"),
    pytest.param(lambda: os.kill(os.getpid(), signal.SIGKILL), 137, id="killed"),
]


@pytest.mark.parametrize(("target", "code"), STATUSES)
def test_status_of_a_child(target, code, capfd):
    assert exit_code_of(status_of(target)) == code


def test_what_a_child_raises_is_printed(capfd):
    status_of(lambda: 1 / 0)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_child_has_default_signals_and_nothing_blocked():
    def target():
        handlers = [signal.getsignal(number) for number in (*STOPPING, signal.SIGCHLD)]
        is_clean = all(handler == signal.SIG_DFL for handler in handlers)
        return 0 if is_clean and not signal.pthread_sigmask(signal.SIG_BLOCK, ()) else 1

    with SignalQueue((*STOPPING, signal.SIGCHLD)):
        assert status_of(target) == 0


def test_child_has_a_group_of_its_own():
    assert status_of(lambda: 0 if os.getpgid(0) == os.getpid() else 1) == 0


def test_atexit_of_the_parent_does_not_run_in_the_child(capfd):
    import atexit

    def told():
        sys.stderr.write("atexit ran\n")

    atexit.register(told)
    status_of(lambda: 0)
    atexit.unregister(told)
    assert capfd.readouterr().err == ""


def test_deadline_ends_the_whole_group(tmp_path):
    pids = tmp_path / "pids"

    def target():
        grandchild = os.fork()
        if grandchild == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(300)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
        (tmp_path / "new").write_text(str(grandchild))
        (tmp_path / "new").rename(pids)
        time.sleep(300)
        return 0

    result = run_child("step", target, deadline=Deadline.after(0.5))
    assert (result.code, result.timed_out, result.interrupted_by) == (5, True, None)
    grandchild = int(pids.read_text())
    wait_until(lambda: not is_running(grandchild), "the grandchild to be killed")


def test_progress_is_told(monkeypatch):
    import pastebox.process.child as module

    monkeypatch.setattr(module, "PROGRESS_S", 0.05)
    told = []
    run_child(
        "step",
        lambda: time.sleep(0.4) or 0,
        deadline=Deadline.never(),
        on_progress=lambda: told.append(1),
    )
    assert len(told) >= 2


def test_term_is_passed_on_and_told():
    def target():
        os.kill(os.getppid(), signal.SIGTERM)
        time.sleep(300)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    result = run_child("step", target, deadline=Deadline.after(60))
    assert (result.interrupted_by, result.signal) == (signal.SIGTERM, signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_second_signal_kills():
    def target():
        signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
        os.kill(os.getppid(), signal.SIGTERM)
        while True:
            time.sleep(1)

    result = run_child("step", target, deadline=Deadline.after(60))
    assert (result.code, result.signal) == (137, signal.SIGKILL)


def test_queue_keeps_order_and_restores_handlers():
    before = signal.getsignal(signal.SIGUSR1)
    with SignalQueue((signal.SIGUSR1, signal.SIGUSR2)) as queue:
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGUSR1)
        taken = []
        wait_until(lambda: len(taken.__iadd__(queue.take())) == 2, "both signals")
        assert set(taken) == {signal.SIGUSR1, signal.SIGUSR2}
        assert queue.take() == []
    assert signal.getsignal(signal.SIGUSR1) == before


DESCRIPTIONS = [
    (3 << 8, "exit status 3", 3),
    (0, "exit status 0", 0),
    (9, "killed by SIGKILL", 137),
]


@pytest.mark.parametrize(("status", "words", "code"), DESCRIPTIONS)
def test_descriptions_of_wait_statuses(status, words, code):
    assert describe_status(status) == words
    assert exit_code_of(status) == code


def test_signals_left_to_the_parent_pass_by_but_not_in_children():
    def target():
        leave_to_parent((signal.SIGTERM,))
        os.kill(os.getpid(), signal.SIGTERM)
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
            os._exit(0)
        return 0 if os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM else 1

    assert status_of(target) == 0
