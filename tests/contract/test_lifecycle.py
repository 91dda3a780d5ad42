"""Start, reload, stop and refusal: the same for every runner."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import threading
import time

import pytest
from app_process import Call, free_port, wait_until
from contract_wire import PATIENCE_S, Place

IDLE_STOP_S = 4.0
"""Promised is 0.5 s, which bench and soak measure; a stop that waits for a deadline takes more."""


@pytest.fixture
def client_of(case):
    def client(process, **place):
        return case.client(Place(port=process.port, **place))

    return client


def test_term_while_idle_ends_at_once_with_0(serve, client_of):
    app = serve()
    assert client_of(app).ask().status == 200
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < IDLE_STOP_S


def hears_of_the_end(client, kept) -> bool:
    """Whether a connection that was kept open is to be closed now."""
    try:
        return client.ask(on=kept).headers.get("connection", "").lower() == "close"
    except (OSError, http.client.HTTPException):
        return True


def test_term_finishes_the_running_request(serve, client_of, case, tmp_path):
    app = serve()
    client = client_of(app)
    until, mark = tmp_path / "until", tmp_path / "mark"
    call = Call(client.ask, "GET", f"/slow?until={until}&mark={mark}&s={PATIENCE_S}")
    wait_until(mark.exists, "the request to run")
    with contextlib.ExitStack() as stack:
        keeps = client.keeps and case.says_close
        if keeps:
            kept = stack.enter_context(contextlib.closing(client.connection()))
            keeps = not hears_of_the_end(client, kept)
        app.term()
        app.wait_log("draining")
        if keeps:  # a worker that has not heard of it yet may still say keep-alive
            wait_until(lambda: hears_of_the_end(client, kept), "the worker to hear of the end")
    until.touch()
    reply = call.result()
    assert (reply.status, reply.body) == (200, b"slow")
    assert reply.headers.get("connection", "close").lower() == "close"
    assert app.wait_exit() == 0


def test_idle_connections_and_half_a_header_do_not_hold_the_end_up(serve, client_of):
    app = serve()
    with contextlib.ExitStack() as stack:
        for data in (b"", client_of(app).half):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", app.port)))
            one.sendall(data)
        assert client_of(app).ask().status == 200
        began = time.monotonic()
        assert app.stop() == 0
        assert time.monotonic() - began < 4


def test_drain_deadline_ends_with_124_and_says_what_was_cut(serve, client_of, tmp_path):
    app = serve(PASTEBOX_DRAIN_TIMEOUT="0.3")
    mark = tmp_path / "mark"

    def leave_unanswered():
        with contextlib.suppress(Exception):
            client_of(app).ask("GET", f"/slow?until={tmp_path}/never&mark={mark}")

    call = Call(leave_unanswered)
    wait_until(mark.exists, "the request to run")
    assert app.stop() == 124
    assert "cut off" in app.log()
    call.result()


def test_hup_refuses_no_connection(serve, client_of):
    app = serve()
    client, stopping = client_of(app), threading.Event()
    failures: list[str] = []
    before = client.ask("GET", "/pid").text

    def repeat():
        while not stopping.is_set():
            try:
                if client.ask().status != 200:
                    failures.append("status")
            except Exception as error:
                failures.append(repr(error))

    calls = [Call(repeat) for _ in range(3)]
    app.signal(signal.SIGHUP)
    app.wait_log(r"generation 1 drained")
    stopping.set()
    for call in calls:
        call.result()
    assert not failures
    assert client.ask("GET", "/pid").text != before
    assert app.stop() == 0


def test_application_that_does_not_load_is_70(start):
    app = start(app="fails = yes")
    assert app.wait_exit() == 70
    assert "this application does not load" in app.log()


def test_port_in_use_is_73(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        app = start(port=other.getsockname()[1])
        assert app.wait_exit() == 73
    assert "in use" in app.log()


def test_unknown_option_is_78_and_named_with_its_line(start):
    app = start("no_such_option = 1")
    assert app.wait_exit() == 78
    assert "no_such_option" in app.log()
    assert "app.ini:" in app.log()


def test_value_of_the_wrong_type_is_78(start, case):
    option = case.bad_type.partition(" ")[0]
    address = "" if option == "port" else None
    app = start(case.bad_type, address=address)
    assert app.wait_exit() == 78
    assert option in app.log()


def test_ipv6(serve, client_of):
    app = serve(host="::1", port=free_port("::1"))
    assert client_of(app, host="::1").ask().body == b"contract"


def test_unix_socket(serve, case, tmp_path):
    if not case.unix:
        pytest.skip(f"{case.name} has no option for it")
    path = tmp_path / "s"
    app = serve(address=case.unix.format(path=path))
    client = case.client(Place(path=str(path)))
    assert client.ask().body == b"contract"
    assert client.ask("GET", "/environ").status == 200
    assert app.stop() == 0
    assert not path.exists()
