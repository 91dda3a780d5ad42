"""What every lock promises, and what a Lease does when its server or its holder fails."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_process import wait_until
from fake_kubernetes import FakeKubernetes
from postgres_server import PostgresServer
from quick_session import QuickSession

from pastebox.boot.database import Database
from pastebox.boot.kubernetes import Leases
from pastebox.boot.lease import JOURNAL, LeaseLock
from pastebox.boot.lock import FileLock, Held, Lock
from pastebox.errors import (
    ConfigError,
    NoPermissionError,
    TemporaryError,
    UnavailableError,
)
from pastebox.process.deadline import Deadline

pytestmark = pytest.mark.process


def silent(_text: str) -> None:
    """Say nothing."""


class QuickLease(LeaseLock):
    """A Lease that does not last long."""

    lasts_s = 2
    renew_s = 0.2
    retry_s = 0.05


@pytest.fixture
def server(kubernetes: FakeKubernetes) -> FakeKubernetes:
    return kubernetes


def quick(server: FakeKubernetes, timeout_s: float = 20) -> QuickLease:
    return QuickLease(Leases("wiki", server.environ, server.account), timeout_s)


class MakeLock:
    """A kind of lock, as each of several starts makes it."""

    def __init__(self, make: Callable[[], Lock], code: str, overtake: Callable[[], object]) -> None:
        self._make = make
        self.code = code
        """The same for another process."""
        self.overtake = overtake
        """Let somebody else have it, whoever has it now."""

    def __call__(self) -> Lock:
        return self._make()


@pytest.fixture(params=["file", "lease", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeLock:
    if request.param == "lease":
        return leases(request.getfixturevalue("server"))
    if request.param == "postgresql":
        return sessions(request.getfixturevalue("postgres"))
    return files(str(tmp_path))


def leases(server: FakeKubernetes) -> MakeLock:
    def overtake() -> None:
        lease = server.lease
        assert lease
        lease["spec"].update(holderIdentity="somebody else", leaseTransitions=7)
        server.control(lease=lease)

    code = f"""
from pastebox.boot.kubernetes import Leases
lock = locks.QuickLease(Leases("wiki", {server.environ!r}, {server.account!r}), 20)"""
    return MakeLock(lambda: quick(server), code, overtake)


def sessions(server: PostgresServer) -> MakeLock:
    def overtake() -> None:
        server.ask("UPDATE pastebox_setup SET token = token + 1")

    code = f"""
from pastebox.boot.database import Database
lock = locks.QuickSession(Database({server.url!r}, "wiki"), 20)"""
    return MakeLock(lambda: QuickSession(Database(server.url, "wiki"), 20), code, overtake)


def files(directory: str) -> MakeLock:
    paths = (f"{directory}/app.lock", f"{directory}/app.journal.json")

    def overtake() -> None:
        os.rename(paths[0], f"{directory}/old.lock")
        FileLock(*paths).acquire(Deadline.after(5), silent).release()

    code = f"from pastebox.boot.lock import FileLock\nlock = FileLock{paths!r}"
    return MakeLock(lambda: FileLock(*paths), code, overtake)


# What every lock promises


def test_one_at_a_time(make: MakeLock):
    held = make().acquire(Deadline.after(5), silent)
    with pytest.raises(TemporaryError, match="is still held by "):
        make().acquire(Deadline.after(0.3), silent)
    held.release()
    make().acquire(Deadline.after(5), silent).release()


def test_who_waits_says_for_whom(make: MakeLock):
    held = make().acquire(Deadline.after(5), silent)
    said: list[str] = []
    with pytest.raises(TemporaryError):
        make().acquire(Deadline.after(0.3), said.append)
    assert len(said) == 1
    assert str(os.getpid()) in said[0]
    held.release()


def test_the_token_grows_with_each_holder(make: MakeLock):
    """Also with one that crashes, and with one that writes nothing."""
    tokens = [0]
    for ends in ("well", "crashes", "well", "crashes", "well"):
        if ends == "crashes":
            process = holder(make)
            os.kill(process.pid, signal.SIGKILL)
            finish_of(process)
            tokens.append(tokens[-1] + 1)
        else:
            held = make().acquire(Deadline.after(30), silent)
            assert held.token == tokens[-1] + 1
            tokens.append(held.token)
            held.release()


def test_who_was_overtaken_stops_before_the_next_write(make: MakeLock):
    held = make().acquire(Deadline.after(5), silent)
    held.remember(b"{}")
    make.overtake()
    with pytest.raises(TemporaryError, match="the lock was taken away during first boot"):
        write(held)
    assert make().recall(silent) == b"{}"
    held.release()


def write(held: Held) -> None:
    """Write as first boot does."""
    if not held.still_held():
        raise TemporaryError("the lock was taken away during first boot")
    held.remember(b"late")


def test_the_time_of_day_may_step(make: MakeLock, monkeypatch: pytest.MonkeyPatch):
    """By an hour, back and forth, while it is held and while it is waited for."""
    right = time.time
    wrongs = itertools.cycle((-3600.0, 0.0, 3600.0))
    monkeypatch.setattr(time, "time", lambda: right() + next(wrongs))
    held = make().acquire(Deadline.after(5), silent)
    with pytest.raises(TemporaryError):
        make().acquire(Deadline.after(1), silent)
    held.remember(b"{}")
    assert held.still_held()
    held.release()
    make().acquire(Deadline.after(5), silent).release()


def test_the_journal_is_where_the_lock_is(make: MakeLock):
    assert make().recall(silent) is None
    held = make().acquire(Deadline.after(5), silent)
    held.remember(b'{"a": "\xc3\xa9"}\n')
    assert make().recall(silent) == b'{"a": "\xc3\xa9"}\n'
    held.release()
    again = make().acquire(Deadline.after(5), silent)
    assert make().recall(silent) == b'{"a": "\xc3\xa9"}\n'
    again.release()


def test_it_is_held_until_it_is_given_back(make: MakeLock):
    held = make().acquire(Deadline.after(5), silent)
    assert held.still_held()
    held.release()
    assert not held.still_held()
    held.release()


def test_it_is_kept_for_longer_than_it_lasts(make: MakeLock):
    held = make().acquire(Deadline.after(5), silent)
    with pytest.raises(TemporaryError):
        make().acquire(Deadline.after(3), silent)
    assert held.still_held()
    held.release()


HOLDER = """\
import os, sys, time
sys.path[:0] = [{support!r}, {here!r}]
from pastebox.process.deadline import Deadline
import test_boot_locks as locks
{make}
held = lock.acquire(Deadline.after(30), lambda _: None)
step = os.fork() if {forks} else 1
print("held", os.getpid(), flush=True)
time.sleep(60)
"""


def holder(make: MakeLock, *, forks: bool = False) -> subprocess.Popen[str]:
    """Start a process that takes the lock and keeps it."""
    here = os.path.dirname(__file__)
    support = os.path.join(here, "..", "support")
    code = HOLDER.format(support=support, here=here, make=make.code, forks=forks)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("held")
    return process


def test_a_crash_gives_it_back(make: MakeLock):
    process = holder(make)
    os.kill(process.pid, signal.SIGKILL)
    make().acquire(Deadline.after(30), silent).release()
    finish_of(process)


def test_a_step_that_outlives_its_start_keeps_it(make: MakeLock):
    """A start that was killed alone does not let another one in while its setup still runs."""
    process = holder(make, forks=True)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(TemporaryError, match=f"is still held by .*{process.pid}"):
        make().acquire(Deadline.after(3), silent)
    os.killpg(process.pid, signal.SIGKILL)
    make().acquire(Deadline.after(30), silent).release()
    finish_of(process)


def finish_of(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.wait(10)


# What a Lease does when something fails


def test_nobodys_clock_matters(server: FakeKubernetes):
    """A holder whose clock is an hour behind keeps its Lease, one that is gone loses it in time."""
    process = holder(leases(server))
    lease = server.lease
    assert lease
    for text in ("1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"):
        lease["spec"]["renewTime"] = text
        server.control(lease=lease)
        with pytest.raises(TemporaryError):
            quick(server).acquire(Deadline.after(0.5), silent)
    os.kill(process.pid, signal.SIGKILL)
    lease["spec"]["renewTime"] = "2999-01-01T00:00:00.000000Z"
    server.control(lease=lease)
    quick(server).acquire(Deadline.after(20), silent).release()
    finish_of(process)


def test_a_holder_that_was_overtaken_writes_nothing(server: FakeKubernetes, stops: list[int]):
    held = quick(server).acquire(Deadline.after(5), silent)
    leases(server).overtake()
    with pytest.raises(TemporaryError, match="the lock was taken away during first boot"):
        held.remember(b"{}")
    wait_until(lambda: not held.still_held(), "the renewal to see it")
    wait_until(lambda: bool(stops), "the start to be told to stop")
    held.release()
    after = server.lease
    assert after
    assert after["spec"]["holderIdentity"] == "somebody else"
    assert JOURNAL not in after["metadata"].get("annotations", {})


@pytest.fixture(autouse=True)
def stops() -> Iterator[list[int]]:
    """The TERMs that this process was sent by a renewal that gave up, instead of its end."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def test_a_server_that_is_away_too_long_takes_it(server: FakeKubernetes, stops: list[int]):
    """Before it runs out for the others, its holder stops: the two are never at work together."""
    held = quick(server).acquire(Deadline.after(5), silent)
    server.control(status=503)
    wait_until(lambda: not held.still_held(), "the renewal to give up")
    wait_until(lambda: bool(stops), "the start to be told to stop")
    server.control(status=0)
    held.release()


def test_a_server_that_hangs_takes_it_in_time(
    server: FakeKubernetes, stops: list[int], monkeypatch: pytest.MonkeyPatch
):
    """However long an answer may take: the lock runs out for the others all the same."""
    monkeypatch.setattr("pastebox.boot.kubernetes.ANSWER_S", 600)
    held = quick(server).acquire(Deadline.after(5), silent)
    server.hang()
    try:
        wait_until(lambda: bool(stops), "the start to be told to stop")
        assert not held.still_held()
    finally:
        server.go_on()
    held.release()


def test_a_server_that_comes_back_in_time_is_not_noticed(server: FakeKubernetes):
    held = quick(server).acquire(Deadline.after(5), silent)
    server.control(status=500)
    time.sleep(0.5)
    server.control(status=0)
    held.remember(b"{}")
    assert held.still_held()
    held.release()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_waited_for_and_told(server: FakeKubernetes, status: int):
    server.control(status=status)
    said: list[str] = []
    with pytest.raises(UnavailableError, match=f"did not answer about the Lease wiki: {status}"):
        quick(server).acquire(Deadline.after(0.5), said.append)
    assert said == [f"waiting for the API server: {status} as it was told to"]
    server.control(status=0)
    quick(server).acquire(Deadline.after(5), silent).release()


def test_nothing_listens(server: FakeKubernetes):
    environ = {**server.environ, "KUBERNETES_SERVICE_PORT": "1"}
    lock = QuickLease(Leases("wiki", environ, server.account), 0.3)
    with pytest.raises(UnavailableError, match="refused"):
        lock.recall(silent)


def test_a_server_of_another_authority_is_not_believed(server: FakeKubernetes, tmp_path: Path):
    other = FakeKubernetes(tmp_path)
    other.stop()
    lock = QuickLease(Leases("wiki", server.environ, other.account), 0.3)
    with pytest.raises(UnavailableError, match=r"(?i)certificate verify failed"):
        lock.recall(silent)


@pytest.mark.parametrize("status", [401, 403])
def test_a_right_may_come_late_and_its_lack_is_told(
    server: FakeKubernetes, status: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("pastebox.boot.patience._REFUSALS_S", 0.3)
    server.control(status=status)
    said: list[str] = []
    with pytest.raises(NoPermissionError, match=f"use the Lease wiki: {status}") as caught:
        quick(server).acquire(Deadline.after(20), said.append)
    assert "rbac.create: true" in (caught.value.hint or "")
    assert said[0].startswith("waiting for the right to use the Lease wiki")


def test_a_new_token_is_taken_up(server: FakeKubernetes):
    held = quick(server).acquire(Deadline.after(5), silent)
    Path(server.account, "token").write_text("another\n")
    held.remember(b"{}")
    held.release()


def test_a_lease_that_the_chart_made_is_empty_and_free(server: FakeKubernetes):
    server.control(lease={"metadata": {"name": "wiki", "labels": {"a": "b"}}})
    held = quick(server).acquire(Deadline.after(5), silent)
    assert held.token == 1
    held.release()
    lease = server.lease
    assert lease
    assert lease["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize(
    ("environ", "account", "words"),
    [
        pytest.param({}, True, "in a Kubernetes pod only", id="no-pod"),
        pytest.param(None, False, "needs the token of a service account", id="no-token"),
    ],
)
def test_without_a_pod_it_says_what_is_missing(server: FakeKubernetes, environ, account, words):
    leases = Leases(
        "wiki",
        server.environ if environ is None else environ,
        server.account if account else "/nonexistent",
    )
    with pytest.raises(ConfigError, match=words):
        QuickLease(leases, 1).recall(silent)
