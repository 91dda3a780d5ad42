"""What every runner does with a request. One server for all tests of a runner."""

from __future__ import annotations

import contextlib
import json
import re
import socket

import pytest
from app_process import wait_until
from contract_app import BLOCK
from contract_wire import NOTHING, digest_of


def test_get(ask):
    reply = ask()
    assert (reply.status, reply.body) == (200, b"contract")
    assert reply.headers["content-length"] == "8"


def test_head_has_the_header_of_get_and_no_body(served):
    reply = served.client.ask_raw("HEAD")
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "8", b"")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="0B"),
        pytest.param(BLOCK, id="1MB"),
        pytest.param(20 * BLOCK, id="20MB"),
    ],
)
def test_post_arrives_whole(ask, data):
    reply = ask("POST", "/echo", data, Content_Type="x/y")
    assert (reply.status, reply.text) == (200, digest_of(data))


def test_put(ask):
    assert ask("PUT", "/echo", b"put").text == digest_of(b"put")


def test_chunked_upload_arrives_whole(served):
    if not served.client.has_chunks:
        pytest.skip("the protocol has no end of a body but its length")
    parts = [b"a" * 10, BLOCK, b"z"]
    assert served.client.ask("POST", "/echo", iter(parts)).text == digest_of(b"".join(parts))


def test_input_by_lines_ends_where_the_body_ends(ask):
    body = b"one\n" + b"two\n" * 1000 + b"three"
    assert ask("POST", "/lines", body).text == "b'one\\n' 1001 b'\\nthree'"


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_a_body(served, status):
    with contextlib.closing(served.client.connection()) as connection:
        reply = served.client.ask("GET", f"/{status}", on=connection)
        assert (reply.status, reply.body) == (status, b"")
        assert "transfer-encoding" not in reply.headers
        if served.client.keeps:
            assert served.client.ask(on=connection).body == b"contract"


def test_first_byte_comes_before_the_last_is_made(served, tmp_path):
    with contextlib.closing(served.client.connection()) as connection:
        response = served.client.begin("GET", f"/stream?until={tmp_path}/go", on=connection)
        assert response.read(6) == b"first\n"
        (tmp_path / "go").touch()
        assert response.read() == b"last\n"


def test_write_comes_before_what_is_returned(ask):
    assert ask("GET", "/write").body == b"written returned"


def test_large_download_is_whole(ask):
    reply = ask("GET", "/big")
    assert reply.is_whole
    assert reply.body == 20 * BLOCK


@pytest.mark.parametrize("path", ["/before", "/begun", "/exit"])
def test_error_before_the_first_byte_is_500(ask, path):
    reply = ask("GET", path)
    assert reply.status == 500
    assert b"Traceback" not in reply.body
    assert ask().status == 200


def test_error_after_the_first_byte_does_not_look_complete(ask):
    reply = ask("GET", "/after")
    assert reply.status in (NOTHING, 200, 500)
    assert reply.status == 500 or not reply.is_whole
    assert ask().status == 200


def test_body_that_ends_before_its_length_does_not_look_complete(ask):
    reply = ask("GET", "/after?length=1")
    assert reply.status in (NOTHING, 200, 500)
    assert reply.status == 500 or not reply.is_whole
    assert ask().status == 200


def test_client_that_leaves_costs_nobody_a_thread(served):
    for _ in range(12):
        with contextlib.closing(served.client.place.connect()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(served.client.request_bytes("/big"))
            connection.recv(1024)
    assert served.client.ask().status == 200
    wait_until(lambda: served.process.metric("requests_in_flight") == 0, "nothing in flight")


def test_slow_headers_and_idle_connections_keep_nobody_waiting(served):
    with contextlib.ExitStack() as stack:
        for number in range(60):
            one = stack.enter_context(contextlib.closing(served.client.place.connect()))
            if number % 2:
                one.sendall(served.client.half)
        assert served.client.ask().status == 200


def test_keep_alive(served):
    if not served.client.keeps:
        pytest.skip("in this protocol the end of the connection ends the response")
    with contextlib.closing(served.client.connection()) as connection:
        for _ in range(3):
            assert served.client.ask(on=connection).body == b"contract"
            first = connection.sock
        assert connection.sock is first is not None


def test_http_1_0_client_gets_a_body_that_ends(served):
    if served.client.name != "http":
        pytest.skip("versions of HTTP are the front end's business")
    with contextlib.closing(served.client.place.connect()) as connection:
        connection.sendall(b"GET /write HTTP/1.0\r\n\r\n")
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    assert data.endswith(b"\r\n\r\nwritten returned")


def test_environ_is_true(served, case):
    reply = served.client.ask("GET", "/environ/a%20b/%C3%A9?q=1&r=%20", X_Word="w")
    environ = json.loads(reply.body)
    assert environ["REQUEST_METHOD"] == "GET"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/environ/a b/\xc3\xa9")
    assert environ["QUERY_STRING"] == "q=1&r=%20"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_WORD"] == "w"
    assert environ["SERVER_NAME"]
    assert environ["SERVER_PORT"] == str(served.process.port)
    assert environ["SERVER_PROTOCOL"].startswith("HTTP/1.")
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.version"] == [1, 0]
    model = (environ["wsgi.multithread"], environ["wsgi.multiprocess"], environ["wsgi.run_once"])
    assert model == (not case.forks, case.forks, False)


def test_garbage_is_answered_or_closed_and_the_server_goes_on(served):
    for data in served.client.garbage:
        connection = served.client.place.connect()
        with contextlib.closing(connection), contextlib.suppress(ConnectionError):
            connection.sendall(data)
            with contextlib.suppress(OSError):  # it may be closed by then
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert served.client.ask().status == 200


def test_readyz_asks_through_the_runner(served):
    answer = served.process.health("/readyz")
    assert answer.status == 200, answer.text


def test_request_is_counted_and_logged_once(served):
    before = served.process.metric('requests_total{class="2xx"}')
    served.client.ask("GET", "/pid?once")
    wait_until(lambda: served.process.metric('requests_total{class="2xx"}') > before, "a count")
    served.process.wait_log(r'"GET /pid\?once HTTP/1\.1" 200 \d+ ')
    assert len(re.findall(r'"GET /pid\?once', served.process.log())) == 1


def test_no_rule_of_wsgi_was_broken(served):
    """The last one: the application is watched by wsgiref.validate, which raises or complains."""
    assert "AssertionError" not in served.process.log()
    assert "WSGIWarning" not in served.process.log()


def test_response_after_an_unread_upload_arrives(served):
    assert served.client.ask("POST", "/", b"x" * 100_000).body == b"contract"
