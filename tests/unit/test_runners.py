"""The registry of runners, and a job's way from the master to a worker."""

import os
import signal
import socket
import sys
import threading

import pytest
from app_process import wait_until

from pastebox.config.aliases import runner_of
from pastebox.config.model import AppSource, ConfigSpec, Origin, ServerSpec
from pastebox.errors import ConfigError, UnavailableError
from pastebox.master.worker import start_worker
from pastebox.runners.job import Job, receive_job, send_job
from pastebox.runners.registry import RUNNERS, known_runners, load_runner


def spec(use):
    origins = {"use": Origin("app.ini:4", "app.ini", 4)}
    return ServerSpec(runner_of(use), use, "server:main", "app.ini", {}, {}, origins)


@pytest.mark.parametrize("name", sorted(RUNNERS))
def test_every_runner_loads_and_is_what_it_says(name):
    assert load_runner(spec(name)).info.name == name


@pytest.mark.parametrize("name", sorted(name for name in RUNNERS if RUNNERS[name].extra))
def test_runner_whose_package_is_missing_names_its_extra(name, monkeypatch):
    entry = RUNNERS[name]
    monkeypatch.setitem(sys.modules, entry.needs, None)
    monkeypatch.delitem(sys.modules, entry.target.partition(":")[0], raising=False)
    with pytest.raises(UnavailableError) as caught:
        load_runner(spec(name))
    assert caught.value.hint.splitlines()[0] == f'pip install "pastebox[{entry.extra}]"'
    assert (caught.value.file, caught.value.line) == ("app.ini", 4)


SPELLINGS = [
    ("egg:waitress#main", "waitress"),
    ("egg:Waitress", "waitress"),
    ("egg:Paste#http", "http"),
    ("egg:PasteScript#wsgiutils", "wsgiutils"),
    ("egg:PasteScript#flup_fcgi_fork", "flup_fcgi_fork"),
    ("egg:Flup#scgi_thread", "flup_scgi_thread"),
]


@pytest.mark.parametrize(("use", "runner"), SPELLINGS)
def test_legacy_spellings_lead_to_known_runners(use, runner):
    assert runner_of(use) == runner
    assert runner in known_runners()


@pytest.mark.parametrize(
    ("use", "hint"),
    [("egg:pastebox#waitres", "did you mean waitress?"), ("egg:nobody#knows", "PASTEBOX_SERVER")],
)
def test_unknown_runner(use, hint):
    with pytest.raises(ConfigError) as caught:
        load_runner(spec(use))
    assert hint in caught.value.hint


def job(size=10):
    source = AppSource(ConfigSpec("config", "/a.ini", "main", "-"), {}, (), "/o", "/s")
    return Job(
        runner="m:a", source=source, spec=spec("waitress"), environ={"X": "x" * size},
        notify_address="@n", slot=1, generation=2, workers=3, drain_timeout_s=4.0,
        access_log="off", log_format="text", log_level="info", has_loggers=False,
        cpu=None, request_limit=0, stuck_after_s=0.0,
    )  # fmt: skip


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_job_arrives_whole_with_its_sockets(size):
    ours, theirs = socket.socketpair()
    counters = os.open(os.devnull, os.O_RDONLY)
    with socket.socket() as one, socket.socket() as two:
        sender = threading.Thread(target=send_job, args=(ours, job(size), counters, [one, two]))
        sender.start()
        received, descriptor, sockets = receive_job(theirs)
        sender.join()
        assert received == job(size)
        assert os.fstat(descriptor).st_rdev == os.fstat(counters).st_rdev
        assert [s.getsockname() for s in sockets] == [one.getsockname(), two.getsockname()]
        for thing in (*sockets, ours, theirs):
            thing.close()
    os.close(descriptor)
    os.close(counters)


@pytest.mark.process
def test_worker_without_a_job_survives_usr1_and_leaves_with_its_master():
    """Logs are rotated at any moment; the signal's default action is death."""
    worker = start_worker(lambda: None)
    ignored = 1 << (signal.SIGUSR1 - 1)

    def is_deaf():
        with open(f"/proc/{worker.pid}/status") as status:
            masks = dict(line.split(":\t") for line in status if line.startswith("SigIgn"))
        return int(masks["SigIgn"], 16) & ignored

    wait_until(is_deaf, "the worker to ignore USR1")
    worker.signal(signal.SIGUSR1)
    worker.orders.close()
    assert os.waitpid(worker.pid, 0)[1] == 0


def test_no_job_when_the_master_is_gone():
    ours, theirs = socket.socketpair()
    ours.close()
    assert receive_job(theirs) is None
    theirs.close()
