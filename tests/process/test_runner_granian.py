"""granian's HTTP in the master's processes: its answers, its ends, its losses."""

import http.client
import os
import signal
import socket
import time

import pytest
from app_process import APP, Call, wait_until

pytest.importorskip("granian", reason="needs granian: the extra is not installed")
pytestmark = pytest.mark.process

INI = """\
[app:main]
paste.app_factory = theapp:main
[server:main]
use = egg:pastebox#granian
{server}
"""
TCP = "host = 127.0.0.1\nport = 0\n"
BROKEN = (http.client.HTTPException, OSError)


@pytest.fixture
def granian(serve):
    def begin(server="", **options):
        return serve(ini=INI.format(server=TCP + server), **options)

    return begin


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serves_and_ends_with_0_without_waiting(granian, workers):
    app = granian(PASTEBOX_WORKERS=workers)
    assert app.get().text == "one"
    data = os.urandom(1 << 20)
    assert app.request("POST", "/upload", body=data).text.startswith(f"{len(data)} ")
    chunked = app.request("POST", "/upload", body=iter([data]), encode_chunked=True)
    assert chunked.text.startswith(f"{len(data)} ")
    assert len(app.get("/big").body) == 20 << 20
    assert app.get("/stream?n=3").text.count("line") == 3
    assert app.get("/204").status == 204
    assert app.get("/raise").status == 500
    assert app.request("HEAD", "/").body == b""
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < 4, "no deadline was waited for"


def test_environ_tells_the_number_of_processes(granian):
    assert "wsgi.multiprocess=True" in granian(PASTEBOX_WORKERS="2").get("/headers").text


def test_application_that_does_not_load_ends_the_start(start):
    app = start(ini=INI.format(server=TCP), code="1 / 0\n")
    assert app.wait_exit() == 70
    assert "ZeroDivisionError" in app.log()


def test_port_in_use_is_told_before_the_application_is_loaded(granian, start, tmp_path):
    first = granian()
    ini = INI.format(server=f"host = 127.0.0.1\nport = {first.port}")
    app = start(ini=ini, directory=tmp_path, code="raise SystemExit('never loaded')")
    assert app.wait_exit() == 73
    assert "never loaded" not in app.log()


def test_counts_and_logs_requests(granian):
    app = granian(health=True)
    for _ in range(3):
        app.get("/?a=b")
    app.get("/raise")
    app.get("/stream?n=2")
    app.wait_metric('requests_total{class="2xx"}', 4)
    app.wait_metric('requests_total{class="5xx"}', 1)
    app.wait_metric("requests_in_flight", 0)
    app.wait_log(r'^127\.0\.0\.1 - - \[.*\] "GET /\?a=b HTTP/1\.1" 200 3 ', count=3)


def test_signals_of_the_group_are_left_to_the_master(granian, tmp_path):
    app = granian()
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    os.killpg(app.pid, signal.SIGINT)
    assert app.wait_exit() == 0
    assert call.result().text == "slow"


def test_deadline_cuts_requests_off_and_counts_them(granian, tmp_path):
    app = granian(PASTEBOX_DRAIN_TIMEOUT="0.5s")
    call = Call(app.get, f"/slow?s=30&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.term()
    assert app.wait_exit() == 124
    assert "requests were cut off count=1" in app.log()
    with pytest.raises(BROKEN):
        call.result()


def test_lame_connections_are_told_to_close(granian):
    app = granian(PASTEBOX_DRAIN_DELAY="5s")
    assert not app.get().says_close
    app.term()
    app.wait_log("draining")
    wait_until(lambda: app.get().says_close, "the word to arrive")
    app.term()
    assert app.wait_exit() == 0


def test_idle_connections_and_half_headers_do_not_hold_the_stop(granian):
    app = granian("blocking_threads = 1")
    idle = [app.socket() for _ in range(20)]
    idle[0].sendall(b"GET / HT")
    assert app.get().text == "one"
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < 4
    for one in idle:
        one.close()


def test_reload_refuses_no_connection(granian):
    app = granian()
    app.module.write_text(APP.replace('"one"', '"second"'))
    app.signal(signal.SIGHUP)
    seen = set()

    def is_over():
        seen.add(app.get().text)
        return "generation 1 drained" in app.log()

    wait_until(is_over, "the old generation to end")
    assert seen <= {"one", "second"}
    assert app.get().text == "second"


def test_unix_socket(start, tmp_path):
    app = start(ini=INI.format(server=f"uds = {tmp_path}/s"))
    app.wait_log("listening on")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/s")
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert app.stop() == 0
