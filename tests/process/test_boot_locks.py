"""What every lock promises, and what a Lease does when its server or its holder fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_process import wait_until
from boot_volume import Volume, finish
from fake_kubernetes import FakeKubernetes
from quick_session import QuickSession

from pastebox.boot.kubernetes import Leases
from pastebox.boot.lease import JOURNAL, LeaseLock
from pastebox.boot.lock import FileLock, Lock
from pastebox.boot.database import Database
from pastebox.errors import (
    ConfigError,
    NoPermissionError,
    TemporaryError,
    UnavailableError,
)
from pastebox.process.deadline import Deadline

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate"),
]
MakeLock = Callable[[], Lock]


def silent(_text: str) -> None:
    """Say nothing."""


class QuickLease(LeaseLock):
    """A Lease that does not last long."""

    lasts_s = 2
    renew_s = 0.2
    retry_s = 0.05


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeKubernetes]:
    server = FakeKubernetes(tmp_path_factory.mktemp("account"))
    yield server
    server.stop()


@pytest.fixture
def server(one_server: FakeKubernetes) -> FakeKubernetes:
    one_server.control(status=0, lease=None)
    Path(one_server.account, "token").write_text("right")
    return one_server


def quick(server: FakeKubernetes, timeout_s: float = 20) -> QuickLease:
    return QuickLease(Leases("wiki", server.environ, server.account), timeout_s)


@pytest.fixture(params=["file", "lease", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeLock:
    """A lock of each kind, as each of several starts makes it."""
    if request.param == "lease":
        server = request.getfixturevalue("server")
        return lambda: quick(server)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
        return lambda: QuickSession(Database(url, "wiki"), 20)
    return lambda: FileLock(str(tmp_path / "app.lock"), str(tmp_path / "app.journal.json"))


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


def test_the_token_grows(make: MakeLock):
    tokens = []
    for _ in range(3):
        held = make().acquire(Deadline.after(5), silent)
        tokens.append(held.token)
        held.release()
    assert tokens == [tokens[0], tokens[0] + 1, tokens[0] + 2]


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
held = lock.acquire(Deadline.after(10), print)
step = os.fork() if {forks} else 1
print("held", os.getpid(), flush=True)
time.sleep(60)
"""


def holder(server: FakeKubernetes, *, forks: bool = False) -> subprocess.Popen[str]:
    """Start a process that takes the Lease and keeps it."""
    make = (
        f"from pastebox.boot.kubernetes import Leases\n"
        f"lock = locks.QuickLease(Leases('wiki', {server.environ!r}, {server.account!r}), 20)"
    )
    here = os.path.dirname(__file__)
    support = os.path.join(here, "..", "support")
    code = HOLDER.format(support=support, here=here, make=make, forks=forks)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("held")
    return process


def test_a_crash_gives_it_back(server: FakeKubernetes):
    process = holder(server)
    started = time.monotonic()
    os.kill(process.pid, signal.SIGKILL)
    held = quick(server).acquire(Deadline.after(20), silent)
    assert time.monotonic() - started > 1, "it was taken from a holder that may have lived"
    assert held.token == 2
    held.release()
    finish_of(process)


def test_a_step_that_outlives_its_start_keeps_it(server: FakeKubernetes):
    """A start that was killed alone does not let another one in while its setup still runs."""
    process = holder(server, forks=True)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(TemporaryError, match="is still held by"):
        quick(server).acquire(Deadline.after(4), silent)
    os.killpg(process.pid, signal.SIGKILL)
    quick(server).acquire(Deadline.after(20), silent).release()
    finish_of(process)


def finish_of(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    process.stdout.close()
    process.wait(10)


# What a Lease does when something fails


def test_nobodys_clock_matters(server: FakeKubernetes):
    """A holder whose clock is an hour behind keeps its Lease, one that is gone loses it in time."""
    process = holder(server)
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
    lease = server.lease
    assert lease
    lease["spec"].update(holderIdentity="somebody else", leaseTransitions=7)
    server.control(lease=lease)
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


# Whole first boots


@pytest.fixture(params=["lease", "postgresql"])
def pod(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a pod that sets up under a lock of all pods has in its environment."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
        return {"PASTEBOX_LOCK": "postgresql", "PASTEBOX_LOCK_URL": url}
    server = request.getfixturevalue("server")
    return {
        **server.environ,
        "POD_ACCOUNT_DIR": server.account,
        "PASTEBOX_LOCK": "lease",
        "PASTEBOX_LOCK_NAME": "wiki",
    }


def test_pods_without_a_shared_volume_set_up_once(tmp_path: Path, pod: dict[str, str]):
    shared = Volume(str(tmp_path))
    shared.write_ini()
    starts = []
    for number in range(5):
        own = tmp_path / f"data{number}"
        own.mkdir()
        starts.append(shared.start(**pod, PASTEBOX_DATA_DIR=str(own)))
    ended = [finish(process) for process in starts]
    assert [one.code for one in ended] == [0] * 5, ended
    assert shared.runs() == 1
    late = tmp_path / "late"
    late.mkdir()
    assert finish(shared.start(**pod, PASTEBOX_DATA_DIR=str(late))).code == 0
    assert shared.runs() == 1


def test_a_leader_that_is_killed_is_followed_by_another(tmp_path: Path, pod: dict[str, str]):
    volume = Volume(str(tmp_path))
    volume.write_ini()
    killed = volume.start(**pod, PASTEBOX_FAULTS="after-setup", PASTEBOX_ALLOW_FAULTS="1")
    assert finish(killed).code == -signal.SIGKILL
    others = [finish(volume.start(**pod)) for _ in range(2)]
    assert [one.code for one in others] == [0, 0], others
    assert volume.runs() == 2
