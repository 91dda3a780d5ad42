"""TERM: what is answered, what is refused, and how it ends."""

import http.client
import os
import signal
import socket
import time

import pytest
from app_process import INI, Answer, Call, wait_until

pytestmark = pytest.mark.process

WAITRESS = "egg:waitress#main"
HERE = "host = 127.0.0.1\nport = 0"


def test_idle_stop_ends_with_0(serve):
    app = serve()
    assert app.stop() == 0
    assert "draining reason=SIGTERM" in app.log()
    assert "stopped exit=0" in app.log()


def test_int_stops_like_term(serve):
    app = serve()
    app.signal(signal.SIGINT)
    assert app.wait_exit() == 0
    assert "draining reason=SIGINT" in app.log()


def test_running_request_is_finished(serve, tmp_path):
    app = serve()
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    assert app.stop() == 0
    answer = call.result()
    assert (answer.status, answer.text, answer.says_close) == (200, "slow", True)


def test_drain_delay_accepts_newcomers_and_says_close(serve):
    app = serve(health=True, PASTEBOX_DRAIN_DELAY="60s")
    assert not app.get().says_close
    keepalive = app.connection()
    keepalive.request("GET", "/")
    assert Answer(keepalive.getresponse()).status == 200
    app.term()
    wait_until(lambda: app.health("/readyz").status == 503, "/readyz to say no")
    assert app.health("/livez").status == 200
    answer = app.get()
    assert (answer.status, answer.says_close) == (200, True)
    keepalive.request("GET", "/")
    answer = Answer(keepalive.getresponse())
    assert (answer.status, answer.says_close) == (200, True)
    keepalive.close()
    app.term()
    assert app.wait_exit() == 0


def test_second_term_skips_the_drain_delay(serve):
    app = serve(PASTEBOX_DRAIN_DELAY="300s")
    app.term()
    app.wait_log("draining reason=SIGTERM delay=300s")
    app.term()
    assert app.wait_exit() == 0
    assert "stopping now reason=SIGTERM" in app.log()


def test_second_term_cuts_a_running_request(serve, tmp_path):
    app = serve(PASTEBOX_DRAIN_TIMEOUT="600s")
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.term()
    app.wait_log("draining")
    app.term()
    assert app.wait_exit() == 124
    with pytest.raises((http.client.HTTPException, OSError)):
        call.result()


def test_deadline_cuts_counts_and_ends_with_124(serve, tmp_path):
    app = serve(PASTEBOX_DRAIN_TIMEOUT="1s")
    calls = [Call(app.get, f"/slow?s=300&mark={tmp_path}/mark{n}") for n in range(2)]
    for number in range(2):
        wait_until((tmp_path / f"mark{number}").exists, "the request to run")
    app.term()
    assert app.wait_exit() == 124
    assert "requests were cut off count=2" in app.log()
    assert app.log().count("request cut off by the drain deadline method=GET path=/slow") == 2
    assert "do_slow" in app.log(), "the stack of the stuck request"
    for call in calls:
        with pytest.raises((http.client.HTTPException, OSError)):
            call.result()


def test_listener_is_refused_while_a_request_still_runs(serve, tmp_path):
    app = serve()
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.term()
    app.wait_log("draining")

    def is_refused():
        try:
            socket.create_connection(("127.0.0.1", app.port), 0.5).close()
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            pass
        return False

    wait_until(is_refused, "a newcomer to be refused")
    (tmp_path / "until").touch()
    assert call.result().text == "slow"
    assert app.wait_exit() == 0


def test_backlog_is_served(serve, tmp_path):
    app = serve(server="host = 127.0.0.1\nport = 0\nthreads = 1")
    first = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the only thread to be busy")
    worker = app.children()[0]
    os.kill(
        worker, signal.SIGSTOP
    )  # nothing is accepted now: what comes waits in the kernel's queue
    waiting = []
    for _ in range(50):
        one = app.socket()
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.append(one)
    app.term()
    app.wait_log("draining")
    os.kill(worker, signal.SIGCONT)
    (tmp_path / "until").touch()
    assert first.result().text == "slow"
    for one in waiting:
        with one, one.makefile("rb") as file:
            text = file.read()
        assert text.startswith(b"HTTP/1.1 200 OK\r\n"), text
        assert text.endswith(b"\r\n\r\none"), text
        assert b"Connection: close" in text
    assert app.wait_exit() == 0


def test_slow_reader_gets_every_byte(serve):
    app = serve()
    with app.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        first = reader.recv(1000)
        app.term()
        app.wait_log("draining")
        count = len(first)
        while True:
            part = reader.recv(1 << 16)
            if not part:
                break
            count += len(part)
            time.sleep(0.002)  # the slowness is the thing itself: about 20 MB in a second
    head = first.partition(b"\r\n\r\n")[0]
    assert count - len(head) - 4 == 20 << 20
    assert app.wait_exit() == 0


def test_upload_in_progress_is_finished(serve):
    app = serve()
    with app.socket() as sender:
        sender.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        sender.sendall(b"x" * 1_000_000)
        app.term()
        app.wait_log("draining")
        for _ in range(8):  # longer than any grace for idle connections
            sender.sendall(b"x" * 250_000)
            time.sleep(0.2)
        with sender.makefile("rb") as file:
            text = file.read()
    assert text.startswith(b"HTTP/1.1 200 OK"), text
    assert b"\r\n\r\n3000000 " in text
    assert app.wait_exit() == 0


def test_idle_and_half_open_connections_do_not_hold_the_drain(serve):
    app = serve(PASTEBOX_DRAIN_TIMEOUT="300s")
    idle, half, slow_header = app.socket(), app.socket(), app.connection()
    half.sendall(b"GET / HTTP/1.1\r\nHo")
    slow_header.request("GET", "/")
    assert Answer(slow_header.getresponse()).status == 200
    assert app.stop() == 0
    for one in (idle, half, slow_header):
        one.close()


def test_keepalive_request_right_after_a_response_in_the_drain_is_answered(serve, tmp_path):
    """A response whose header left before TERM promised to keep the connection."""
    app = serve(PASTEBOX_DRAIN_TIMEOUT="30s")
    with app.socket() as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        got = client.recv(1000)
        head, _, body = got.partition(b"\r\n\r\n")
        assert b"close" not in head
        app.term()
        app.wait_log("draining")
        time.sleep(1)  # past the grace that counts from the beginning of the drain
        left = (20 << 20) - len(body)
        while left:
            left -= len(client.recv(min(left, 1 << 16)))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with client.makefile("rb") as file:
            text = file.read()
    assert text.startswith(b"HTTP/1.1 200 OK"), text
    assert b"Connection: close" in text
    assert app.wait_exit() == 0


def test_metrics_count_what_was_cut(serve, tmp_path):
    """A reload drains too; there the metrics can still be asked."""
    app = serve(health=True, PASTEBOX_DRAIN_TIMEOUT="1s")
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.signal(signal.SIGHUP)
    app.wait_log("generation 1 drained")
    assert app.metric("requests_cut_off_total") == 1
    with pytest.raises((http.client.HTTPException, OSError)):
        call.result()
    assert app.stop() == 0, "nothing was cut by this stop"


def test_term_while_the_application_loads_ends_with_0(start, tmp_path):
    code = f"open({str(tmp_path / 'mark')!r}, 'w').close()\nimport time\ntime.sleep(300)\n"
    app = start(code=code)
    wait_until((tmp_path / "mark").exists, "the import to begin")
    app.term()
    assert app.wait_exit() == 0


@pytest.mark.parametrize(
    "use", [WAITRESS, "egg:gunicorn#main\nworkers = 1", "egg:pastebox#granian"]
)
def test_term_while_the_application_loads_lets_it_clean_up(start, tmp_path, use):
    code = (
        f"import time\nopen({str(tmp_path / 'begun')!r}, 'w').close()\n"
        f"try:\n    time.sleep(60)\nfinally:\n    open({str(tmp_path / 'tidy')!r}, 'w').close()\n"
    )
    app = start(code=code, ini=INI.format(app="", server=HERE, more="").replace(WAITRESS, use))
    wait_until((tmp_path / "begun").exists, "the application to load")
    assert app.stop() == 0
    assert (tmp_path / "tidy").exists()
