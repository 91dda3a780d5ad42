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
from pastebox.boot.lease import JOURNAL, LeaseLock, Watch
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


class CalmLease(LeaseLock):
    """A Lease that lasts as the real one, so that no slow machine loses it."""

    renew_s = 0.2
    retry_s = 0.05


class QuickLease(CalmLease):
    """A Lease that does not last long: to be lost, or to be taken when its holder is gone."""

    lasts_s = 5


@pytest.fixture
def server(kubernetes: FakeKubernetes) -> FakeKubernetes:
    return kubernetes


def calm(server: FakeKubernetes) -> CalmLease:
    return CalmLease(Leases("wiki", server.environ, server.account), 60)


def quick(server: FakeKubernetes) -> QuickLease:
    return QuickLease(Leases("wiki", server.environ, server.account), 60)


class MakeLock:
    """A kind of lock, as each of several starts makes it.

    Attributes:
        code: makes one in another process, that does not last long after that.
        overtake: lets somebody else have it, whoever has it now.
    """

    def __init__(self, make: Callable[[], Lock], code: str, overtake: Callable[[], object]) -> None:
        self._make = make
        self.code = code
        self.overtake = overtake

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
lock = locks.QuickLease(Leases("wiki", {server.environ!r}, {server.account!r}), 60)"""
    return MakeLock(lambda: calm(server), code, overtake)


def sessions(server: PostgresServer) -> MakeLock:
    def overtake() -> None:
        server.ask("UPDATE pastebox_setup SET token = token + 1")

    code = f"""
from pastebox.boot.database import Database
lock = locks.QuickSession(Database({server.url!r}, "wiki"), 60)"""
    return MakeLock(lambda: QuickSession(Database(server.url, "wiki"), 60), code, overtake)


def files(directory: str) -> MakeLock:
    paths = (f"{directory}/app.lock", f"{directory}/app.journal.json")

    def overtake() -> None:
        os.rename(paths[0], f"{directory}/old.lock")
        FileLock(*paths).acquire(Deadline.after(30), silent).release()

    code = f"from pastebox.boot.lock import FileLock\nlock = FileLock{paths!r}"
    return MakeLock(lambda: FileLock(*paths), code, overtake)


# What every lock promises


def test_one_at_a_time(make: MakeLock):
    held = make().acquire(Deadline.after(30), silent)
    with pytest.raises(TemporaryError, match="is still held by "):
        make().acquire(Deadline.after(0.3), silent)
    held.release()
    make().acquire(Deadline.after(30), silent).release()


def test_who_waits_says_for_whom(make: MakeLock):
    held = make().acquire(Deadline.after(30), silent)
    said: list[str] = []
    with pytest.raises(TemporaryError):
        make().acquire(Deadline.after(0.3), said.append)
    assert len(said) == 1
    assert str(os.getpid()) in said[0]
    held.release()


def test_the_token_grows_with_each_holder(make: MakeLock):
    """Also with one that crashes, which gives the lock back."""
    first = make().acquire(Deadline.after(30), silent)
    first.release()
    process = holder(make)
    os.kill(process.pid, signal.SIGKILL)
    third = make().acquire(Deadline.after(60), silent)
    third.release()
    last = make().acquire(Deadline.after(30), silent)
    last.release()
    assert [first.token, third.token, last.token] == [1, 3, 4]
    finish_of(process)


def test_who_was_overtaken_stops_before_the_next_write(make: MakeLock):
    held = make().acquire(Deadline.after(30), silent)
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
    held = make().acquire(Deadline.after(30), silent)
    with pytest.raises(TemporaryError):
        make().acquire(Deadline.after(1), silent)
    held.remember(b"{}")
    assert held.still_held()
    held.release()
    make().acquire(Deadline.after(30), silent).release()


def test_the_journal_is_where_the_lock_is(make: MakeLock):
    assert make().recall(silent) is None
    held = make().acquire(Deadline.after(30), silent)
    held.remember(b'{"a": "\xc3\xa9"}\n')
    assert make().recall(silent) == b'{"a": "\xc3\xa9"}\n'
    held.release()
    again = make().acquire(Deadline.after(30), silent)
    assert make().recall(silent) == b'{"a": "\xc3\xa9"}\n'
    again.release()


def test_it_is_held_until_it_is_given_back(make: MakeLock):
    held = make().acquire(Deadline.after(30), silent)
    assert held.still_held()
    held.release()
    assert not held.still_held()
    held.release()


HOLDER = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.path[:0] = [{support!r}, {here!r}]
from pastebox.process.deadline import Deadline
import test_boot_locks as locks
{make}
held = lock.acquire(Deadline.after(60), lambda _: None)
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


def test_a_step_that_outlives_its_start_keeps_it(make: MakeLock):
    """A start that was killed alone does not let another one in while its setup still runs."""
    process = holder(make, forks=True)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(TemporaryError, match=f"is still held by .*{process.pid}"):
        make().acquire(Deadline.after(1), silent)
    os.killpg(process.pid, signal.SIGKILL)
    make().acquire(Deadline.after(60), silent).release()
    finish_of(process)


def finish_of(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.wait(10)


# What a Lease does when something fails


def version_of(server: FakeKubernetes) -> int:
    lease = server.lease
    assert lease
    return int(lease["metadata"]["resourceVersion"])


@pytest.mark.parametrize("forks", [False, True], ids=["start", "step"])
def test_it_is_renewed_as_long_as_somebody_lives(server: FakeKubernetes, *, forks: bool):
    process = holder(leases(server), forks=forks)
    if forks:
        os.kill(process.pid, signal.SIGKILL)
    before = version_of(server)
    wait_until(lambda: version_of(server) > before + 3, "the Lease to be renewed")
    os.killpg(process.pid, signal.SIGKILL)
    finish_of(process)


@pytest.mark.parametrize("renewed", ["1999-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
def test_nobodys_clock_matters(server: FakeKubernetes, renewed: str):
    """A holder whose clock is years behind keeps its Lease, one that is gone loses it in time."""
    spec = {"holderIdentity": "another", "leaseDurationSeconds": 3600, "renewTime": renewed}
    server.control(lease={"metadata": {"name": "wiki"}, "spec": spec})
    with pytest.raises(TemporaryError, match="is still held by another"):
        calm(server).acquire(Deadline.after(0.5), silent)
    spec["leaseDurationSeconds"] = 1
    server.control(lease={"metadata": {"name": "wiki"}, "spec": spec})
    calm(server).acquire(Deadline.after(60), silent).release()


def test_a_lease_that_changes_has_a_holder_and_one_that_does_not_has_lost_it():
    now = [0.0]
    watch = Watch(15, lambda: now[0])
    lease = {"metadata": {"resourceVersion": "1"}, "spec": {}}
    for at, is_gone in ((0, False), (15, False), (15.1, True)):
        now[0] = at
        assert watch.is_gone(lease) is is_gone
    lease["metadata"]["resourceVersion"] = "2"
    assert not watch.is_gone(lease)
    lease["spec"]["leaseDurationSeconds"] = 40
    now[0] = 15.1 + 40
    assert not watch.is_gone(lease)


def test_a_holder_that_was_overtaken_writes_nothing(server: FakeKubernetes, stops: list[int]):
    held = calm(server).acquire(Deadline.after(30), silent)
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
    held = quick(server).acquire(Deadline.after(30), silent)
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
    held = quick(server).acquire(Deadline.after(30), silent)
    server.hang()
    try:
        wait_until(lambda: bool(stops), "the start to be told to stop")
        wait_until(lambda: not held.still_held(), "the renewal to end")
    finally:
        server.go_on()
    held.release()


def test_a_server_that_comes_back_in_time_is_not_noticed(server: FakeKubernetes):
    held = calm(server).acquire(Deadline.after(30), silent)
    server.control(status=500)
    before = server.requests
    wait_until(lambda: server.requests > before, "a renewal to fail")
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
    calm(server).acquire(Deadline.after(30), silent).release()


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
        quick(server).acquire(Deadline.after(60), said.append)
    assert "rbac.create: true" in (caught.value.hint or "")
    assert said[0].startswith("waiting for the right to use the Lease wiki")


def test_a_new_token_is_taken_up(server: FakeKubernetes):
    held = calm(server).acquire(Deadline.after(30), silent)
    Path(server.account, "token").write_text("another\n")
    held.remember(b"{}")
    held.release()


def test_a_lease_that_the_chart_made_is_empty_and_free(server: FakeKubernetes):
    server.control(lease={"metadata": {"name": "wiki", "labels": {"a": "b"}}})
    held = calm(server).acquire(Deadline.after(30), silent)
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
