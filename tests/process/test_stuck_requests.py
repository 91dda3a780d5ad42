"""Requests that run for too long are told with their stacks, by every runner with threads."""

import importlib.util

import pytest
from app_process import AppProcess, Call, free_port, wait_until

from pastebox.health.ask import probe_once
from pastebox.health.protocol import Protocol
from pastebox.health.target import tcp

pytestmark = pytest.mark.process

INI = """\
[app:main]
paste.app_factory = theapp:main
[server:main]
use = {use}
host = 127.0.0.1
port = {port}
{more}
"""

RUNNERS = [
    pytest.param(("egg:waitress#main", "threads = 2", "http", ""), id="waitress"),
    pytest.param(
        ("egg:gunicorn#main", "workers = 1\nthreads = 2", "http", "gunicorn"), id="gunicorn"
    ),
    pytest.param(("egg:gunicorn#main", "workers = 2", "http", "gunicorn"), id="gunicorn-sync"),
    pytest.param(("egg:pyramid#wsgiref", "", "http", ""), id="wsgiref"),
    pytest.param(("egg:pastebox#granian", "blocking_threads = 2", "http", "granian"), id="granian"),
    pytest.param(("egg:PasteScript#twisted", "", "http", "twisted"), id="twisted"),
    pytest.param(("egg:PasteScript#cherrypy", "numthreads = 2", "http", "cheroot"), id="cherrypy"),
    pytest.param(("egg:PasteScript#flup_fcgi_thread", "maxThreads = 2", "fastcgi", ""), id="fcgi"),
    pytest.param(("egg:PasteScript#flup_scgi_fork", "maxChildren = 2", "scgi", ""), id="scgi-fork"),
]


class Server:
    """One server, and requests to it in its own protocol."""

    def __init__(self, process, port, protocol):
        self.process, self.port, self.protocol = process, port, protocol

    def ask(self, path):
        return probe_once(tcp("127.0.0.1", self.port), path, 60.0, (), Protocol(self.protocol))

    def page(self, path):
        return self.process.get(path, port=self.process.health_port)


@pytest.fixture
def served(request, tmp_path):
    use, more, protocol, module = request.param
    if module and importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    port = free_port()
    process = AppProcess(
        tmp_path,
        ini=INI.format(use=use, port=port, more=more),
        health=True,
        PASTEBOX_STUCK_AFTER="200ms",
        PASTEBOX_READY_PATH="/pid",
        PASTEBOX_DRAIN_TIMEOUT="300ms",
    )
    process.wait_log(r"listening on (\S+)")
    yield Server(process, port, protocol)
    process.kill()
    print(process.log())


@pytest.mark.parametrize("served", RUNNERS, indirect=True)
def test_stuck_threads_are_told_and_a_full_house_is_busy(served, tmp_path):
    process, gate = served.process, tmp_path / "gate"
    wait_until(lambda: served.page("/readyz").status == 200, "readiness")
    threads = int(process.metric("request_slots"))
    marks = [tmp_path / f"mark{number}" for number in range(threads)]
    for mark in marks:
        Call(served.ask, f"/slow?s=60&until={gate}&mark={mark}")
    wait_until(lambda: all(mark.exists() for mark in marks), "all threads to be taken")
    process.wait_log(r"request runs for too long method=GET path=/slow seconds=\d+\.\d thread=\S+")
    process.wait_log(r"theapp\.py.* in do_slow", count=threads)
    wait_until(lambda: process.metric("requests_stuck") == threads, "the gauge")
    assert f"{threads} of {threads}" in served.page("/status").text
    found = wait_until(lambda: (a := served.page("/readyz")).status == 503 and a, "no readiness")
    assert "busy: 127.0.0.1" in found.text
    assert f"all {threads} request slots are taken" in found.text
    assert served.page("/livez").status == 200, "busy is not dead"
    reported = process.log().count("in do_slow")
    assert process.stop() == 124
    cut = "request cut off by the drain deadline method=GET path=/slow"
    assert process.log().count(cut) == threads
    assert process.log().count("in do_slow") == reported + threads


@pytest.mark.parametrize("served", RUNNERS[:1], indirect=True)
def test_the_end_of_a_long_request_is_told_as_well(served, tmp_path):
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    call = Call(served.ask, f"/slow?s=60&until={gate}&mark={mark}")
    process = served.process
    wait_until(lambda: process.metric("requests_stuck") == 1, "the gauge")
    assert "1 request for too long" in served.page("/status").text
    gate.touch()
    assert call.result().status == 200
    process.wait_log("request that ran for too long has finished method=GET path=/slow")
    wait_until(lambda: process.metric("requests_stuck") == 0, "the gauge")
    assert process.log().count("request runs for too long") == 1, "told once"


@pytest.mark.parametrize("served", RUNNERS[:1], indirect=True)
def test_the_end_is_told_even_if_the_worker_ends_with_it(served, tmp_path):
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    call = Call(served.ask, f"/slow?s=60&until={gate}&mark={mark}")
    process = served.process
    process.wait_log("request runs for too long")
    process.term()
    gate.touch()
    call.result()
    assert process.wait_exit() == 0
    assert "request that ran for too long has finished method=GET path=/slow" in process.log()
