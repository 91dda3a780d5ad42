"""gunicorn behind the master: its workers, its ends, its losses."""

import http.client
import os
import signal
import socket
import time

import pytest
from app_process import APP, Answer, Call, children_of, is_running, wait_until

pytest.importorskip("gunicorn", reason="needs gunicorn: the extra is not installed")
pytestmark = pytest.mark.process

INI = """\
[app:main]
paste.app_factory = theapp:main
{app}
[server:main]
use = egg:gunicorn#main
host = 127.0.0.1
port = 0
{server}
"""
BROKEN = (http.client.HTTPException, OSError)
THREADED = "workers = 1\nthreads = 4"
SYNC = "workers = 2"


@pytest.fixture
def gunicorn(serve):
    def begin(server=THREADED, app="", **options):
        return serve(ini=INI.format(server=server, app=app), **options)

    return begin


@pytest.mark.parametrize("server", [THREADED, SYNC, "workers = 2\nworker_class = gthread"])
def test_serves_and_ends_with_0_without_waiting(gunicorn, server):
    app = gunicorn(server)
    assert app.get().text == "one"
    data = os.urandom(1 << 20)
    assert app.request("POST", "/upload", body=data).text.startswith(f"{len(data)} ")
    assert len(app.get("/big").body) == 20 << 20
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < 4, "no deadline was waited for"


def test_workers_are_gunicorns_and_as_many_as_the_option_says(gunicorn):
    app = gunicorn("workers = 3")
    arbiter = app.children()[0]
    wait_until(lambda: len(children_of(arbiter)) == 3, "three workers")
    assert int(app.get("/pid").text) in children_of(arbiter)
    assert "workers=3" in app.log()


def test_setting_replaces_the_option(gunicorn):
    app = gunicorn("workers = 3", PASTEBOX_WORKERS="1")
    assert len(children_of(app.children()[0])) == 1


def test_number_of_workers_is_sized_and_told(gunicorn):
    app = gunicorn("")
    assert app.log().count("workers=") >= 1
    app.wait_log(r"workers=\d+ from cpu")


FAILURES = [
    pytest.param("1 / 0\n" + APP, 70, "ZeroDivisionError", id="raises at import"),
    pytest.param(
        "def main(global_conf):\n    raise RuntimeError('no database')\n",
        70,
        "RuntimeError: no database",
        id="factory raises",
    ),
    pytest.param("import sys\nsys.exit(3)\n", 3, "", id="SystemExit(3)"),
    pytest.param("import os\nos._exit(9)\n", 9, "", id="_exit"),
]


@pytest.mark.parametrize("server", [THREADED, "workers = 1\npreload_app = true"])
@pytest.mark.parametrize(("code", "status", "told"), FAILURES)
def test_application_that_does_not_load_ends_the_start(start, code, status, told, server):
    app = start(ini=INI.format(server=server, app=""), code=code)
    assert app.wait_exit() == status
    assert told in app.log()
    assert app.log().count("Traceback (most recent call last)") == bool(told)


def test_ready_is_told_when_the_application_is_loaded(start, tmp_path):
    code = (
        "import os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n" + APP
    )
    app = start(ini=INI.format(server=THREADED, app=""), code=code, health=True)
    app.wait_log("Booting worker")
    assert app.health("/readyz").status == 503
    (tmp_path / "go").touch()
    app.wait_listening()
    assert app.health("/readyz").status == 200


def test_counts_and_logs_requests(gunicorn):
    app = gunicorn("workers = 2\nthreads = 2", health=True)
    for _ in range(5):
        app.get()
    app.get("/raise")
    app.get("/nosuch")
    app.wait_metric('requests_total{class="2xx"}', 5)
    app.wait_metric('requests_total{class="5xx"}', 1)
    app.wait_metric('requests_total{class="4xx"}', 1)
    app.wait_metric("requests_in_flight", 0)
    app.wait_log(r'^127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 3 ', count=5)


def test_worker_of_gunicorns_that_dies_is_replaced_and_leaves_its_counts(gunicorn):
    app = gunicorn(health=True)
    pid = int(app.get("/pid").text)
    wait_until(lambda: app.metric('requests_total{class="2xx"}') == 1, "the first to be counted")
    os.kill(pid, signal.SIGKILL)
    app.wait_log(rf"worker ended pid={pid} killed by SIGKILL")
    assert wait_until(lambda: int(app.get("/pid").text), "the successor") != pid
    wait_until(lambda: app.metric('requests_total{class="2xx"}') == 2, "both in the counters")
    assert app.stop() == 0


def test_signals_of_the_group_are_left_to_the_master(gunicorn, tmp_path):
    app = gunicorn()
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    os.killpg(app.pid, signal.SIGINT)
    assert app.wait_exit() == 0
    assert call.result().text == "slow"


def test_master_that_is_killed_leaves_no_orphan(gunicorn, tmp_path):
    app = gunicorn()
    arbiter = app.children()[0]
    workers = children_of(arbiter)
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.signal(signal.SIGKILL)
    assert call.result().text == "slow", "the worker drains"
    wait_until(lambda: not any(map(is_running, [arbiter, *workers])), "the end of all")


def test_arbiter_that_is_killed_is_replaced(gunicorn):
    app = gunicorn()
    arbiter = app.children()[0]
    os.kill(arbiter, signal.SIGKILL)
    app.wait_log("a new worker starts")
    wait_until(lambda: app.get().text == "one", "the successor")
    assert app.stop() == 0


def test_deadline_cuts_requests_off_and_counts_them(gunicorn, tmp_path):
    app = gunicorn(PASTEBOX_DRAIN_TIMEOUT="0.5s")
    call = Call(app.get, f"/slow?s=30&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    began = time.monotonic()
    app.term()
    assert app.wait_exit() == 124
    assert time.monotonic() - began < 2
    assert "requests were cut off count=1" in app.log()
    with pytest.raises(BROKEN):
        call.result()


def test_second_term_ends_at_once(gunicorn, tmp_path):
    app = gunicorn()
    Call(app.get, f"/slow?s=30&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.term()
    app.wait_log("draining")
    began = time.monotonic()
    app.term()
    assert app.wait_exit() == 124
    assert time.monotonic() - began < 2


def test_lame_connections_are_told_to_close(gunicorn):
    app = gunicorn(PASTEBOX_DRAIN_DELAY="5s")
    connection = app.connection()
    connection.request("GET", "/")
    assert not Answer(connection.getresponse()).says_close
    app.term()
    app.wait_log("draining")
    wait_until(lambda: app.get().says_close, "the word to arrive")
    connection.request("GET", "/")
    assert Answer(connection.getresponse()).says_close
    app.term()
    assert app.wait_exit() == 0


def test_idle_connections_take_no_thread(gunicorn):
    app = gunicorn("workers = 1\nthreads = 2")
    idle = [app.socket() for _ in range(20)]
    began = time.monotonic()
    assert app.get().text == "one"
    assert time.monotonic() - began < 4
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < 4
    for one in idle:
        one.close()


@pytest.mark.parametrize("server", [THREADED, SYNC])
def test_connection_with_half_a_header_does_not_hold_the_stop(gunicorn, server):
    app = gunicorn(server)
    with socket.create_connection(("127.0.0.1", app.port)) as half:
        half.sendall(b"GET / HT")
        time.sleep(0.2)
        began = time.monotonic()
        assert app.stop() == 0
        assert time.monotonic() - began < 4


def test_reload_refuses_no_connection(gunicorn):
    app = gunicorn("workers = 2\nthreads = 2")
    app.module.write_text(APP.replace('"one"', '"second"'))
    app.signal(signal.SIGHUP)
    seen = set()

    def is_over():
        seen.add(app.get().text)
        return "generation 1 drained" in app.log()

    wait_until(is_over, "the old generation to end")
    assert seen <= {"one", "second"}
    assert app.get().text == "second"
    assert app.stop() == 0


def test_unix_socket_stays_for_the_next_generation(start, tmp_path):
    ini = INI.format(server=f"{SYNC}\nbind = unix:{tmp_path}/s", app="")
    ini = ini.replace("host = 127.0.0.1\nport = 0\n", "")
    app = start(ini=ini)
    app.wait_log("listening on")
    app.signal(signal.SIGHUP)
    app.wait_log("generation 1 drained")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/s")
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.0 200")
    assert app.stop() == 0
    assert not os.path.exists(f"{tmp_path}/s")


def test_max_requests_recycles_workers(gunicorn):
    app = gunicorn("workers = 1\nthreads = 2\nmax_requests = 3")
    pids = {app.get("/pid").text for _ in range(12)}
    assert len(pids) > 1
    assert app.stop() == 0


@pytest.mark.parametrize("kind", ["threads = 2", "worker_class = gevent"])
def test_recycled_worker_lets_a_newcomer_send_its_request(gunicorn, kind):
    if "gevent" in kind:
        pytest.importorskip("gevent", reason="needs gevent: the extra is not installed")
    app = gunicorn(f"workers = 1\n{kind}\nmax_requests = 2")
    app.get()
    with app.socket() as newcomer:
        began = time.monotonic()
        app.get()
        assert newcomer.recv(1) == b"", "let go after a moment"
        assert time.monotonic() - began > 0.2


def test_hooks_of_the_application_run(gunicorn, tmp_path):
    hook = f"\n\ndef hook(worker, request):\n    open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    app = gunicorn(THREADED + "\npre_request = theapp.hook", code=APP + hook)
    app.get()
    assert (tmp_path / "ran").exists()
