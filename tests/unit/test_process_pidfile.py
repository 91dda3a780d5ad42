"""PID files: who holds one, whom it was left by, and what is never written over."""

import fcntl
import os
import subprocess
import sys
import time

import pytest

from pastebox.errors import CannotCreateError
from pastebox.process import pidfile
from pastebox.process.pidfile import Found, PidFile, inspect, started_at

HOLD = """\
import sys
from pastebox.process.pidfile import PidFile
held = PidFile(sys.argv[1], int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
held.release()
"""


class Holder:
    """A process that holds a PID file until it is told to let go, or killed."""

    def __init__(self, path, mark=0):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), str(mark)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"held\n"

    def end(self, *, kill=False):
        if kill:
            self.process.kill()
        self.process.communicate(timeout=30)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "pid")


@pytest.fixture
def hold(path):
    begun = []
    yield lambda mark=0: begun.append(Holder(path, mark)) or begun[-1]
    for one in begun:
        one.end(kill=True)


def test_no_file(path):
    assert inspect(path) == Found("none", 0)


def test_held_file_has_its_process_and_its_mark_and_a_number_alone(path, hold):
    holder = hold(4711)
    assert inspect(path) == Found("running", holder.process.pid, 4711)
    with open(path) as file:
        assert file.read() == f"{holder.process.pid}\n"
    holder.end()
    assert inspect(path) == Found("none", 0)


def test_kernel_is_believed_and_not_the_text(path, hold):
    holder = hold()
    with open(path, "w") as file:
        file.write("1\n")
    assert inspect(path).pid == holder.process.pid


def test_file_of_a_killed_process_is_stale_and_is_taken_over(path, hold):
    holder = hold()
    pid = holder.process.pid
    holder.end(kill=True)
    assert inspect(path) == Found("stale", pid)
    held = PidFile(path)
    assert held.left_by == pid
    held.release()
    assert not os.path.exists(path)


def test_held_file_is_refused(path, hold):
    holder = hold()
    with pytest.raises(CannotCreateError, match=f"held by process {holder.process.pid}"):
        PidFile(path)
    assert inspect(path).state == "running"


def test_file_that_somebody_has_put_in_its_place_is_kept(path):
    held = PidFile(path)
    os.unlink(path)
    with open(path, "w") as file:
        file.write("another's")
    held.release()
    with open(path) as file:
        assert file.read() == "another's"


def test_longer_text_before_leaves_nothing(path):
    with open(path, "w") as file:
        file.write("000000000000000000000000001\n")
    os.utime(path, (0, 0))  # older than process 1, whatever that is
    held = PidFile(path)
    with open(path) as file:
        assert file.read() == f"{os.getpid()}\n"
    held.release()


AGES = [
    pytest.param(-86_400, "stale", id="written a day before the process began"),
    pytest.param(60, "foreign", id="written after it began"),
]


@pytest.mark.parametrize(("seconds", "state"), AGES)
def test_file_that_nobody_holds_is_judged_by_the_start_of_its_process(path, seconds, state):
    parent = os.getppid()
    with open(path, "w") as file:
        file.write(f"{parent}\n")
    at = started_at(parent) + seconds
    os.utime(path, (at, at))
    assert inspect(path) == Found(state, parent)


def test_own_number_in_an_old_file_is_stale(path):
    """A container begins anew with the same numbers, and the file was on a volume."""
    with open(path, "w") as file:
        file.write(f"{os.getpid()}\n")
    assert inspect(path).state == "stale"


@pytest.mark.parametrize("text", ["[app:main]\n", "1 2", "-1", "0", "x" * 100, "9" * 40, "²"])
def test_what_is_no_number_is_kept(path, text):
    with open(path, "w") as file:
        file.write(text)
    assert inspect(path).state == "garbage"
    with pytest.raises(CannotCreateError, match="is not a PID file"):
        PidFile(path)
    with open(path) as file:
        assert file.read() == text


def test_empty_file_is_taken(path):
    with open(path, "w"):
        pass
    assert inspect(path).state == "stale"
    PidFile(path).release()


def test_fifo_is_refused_without_waiting(path):
    os.mkfifo(path)
    assert inspect(path).state == "garbage"
    with pytest.raises(CannotCreateError, match="something else"):
        PidFile(path)


def test_directory_is_refused(tmp_path):
    with pytest.raises(CannotCreateError):
        PidFile(str(tmp_path))


def test_file_system_without_locks_is_told(path, monkeypatch):
    def lockf(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", lockf)
    with pytest.raises(CannotCreateError, match="cannot be locked: No locks available"):
        PidFile(path)


def test_holder_that_cannot_be_seen_is_not_named(path, hold, monkeypatch):
    hold()
    monkeypatch.setattr(pidfile, "_lock_in", lambda *_: (0, 0))
    with pytest.raises(CannotCreateError, match="cannot be seen from here"):
        PidFile(path)


def test_start_of_a_process():
    assert time.time() - 86_400 < started_at(os.getpid()) < time.time() + 1
    assert started_at(2**31 - 1) is None
