"""The health port's HTTP: heads of any shape are read, or refused with a status."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.observe.pages import text_page
from pastebox.observe.request import (
    HEAD_LIMIT,
    RefusedError,
    parse_head,
    response_bytes,
    take_head,
)


def read(data):
    buffer = bytearray(data)
    head = take_head(buffer)
    assert head is not None
    return parse_head(head)


def test_a_probe_of_the_kubelet():
    request = read(
        b"GET /readyz?verbose HTTP/1.1\r\nHost: 10.0.0.7:9090\r\nUser-Agent: kube-probe/1.31\r\n"
        b"Accept: */*\r\nConnection: close\r\n\r\n"
    )
    assert request == ("GET", "/readyz", "verbose", "*/*", False)


@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True, id="1.1"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n", False, id="close"),
        pytest.param(b"GET / HTTP/1.0\r\n\r\n", False, id="1.0"),
        pytest.param(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True, id="1.0-keep"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", False, id="body"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", True, id="empty"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", False, id="chunked"
        ),
        pytest.param(b"\r\n\r\nGET / HTTP/1.1\nHost: x\n\n", True, id="bare-line-feeds"),
    ],
)
def test_whether_the_connection_is_kept(data, keeps):
    assert read(data).keep_alive is keeps


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param(b"http://pod:9090/livez?a", "/livez", id="absolute"),
        pytest.param(b"http://pod", "/", id="absolute-without-path"),
        pytest.param(b"/livez?next=http://x/y", "/livez", id="url-in-query"),
        pytest.param(b"/livez#part", "/livez", id="fragment"),
    ],
)
def test_forms_of_a_target(target, path):
    assert read(b"GET " + target + b" HTTP/1.0\r\n\r\n").path == path


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"POST /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="method"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param(b"GET / HTTP/2.0\r\n\r\n", 505, id="version"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, id="tls"),
        pytest.param(b"GET /\x00 HTTP/1.0\r\n\r\n", 400, id="nul"),
        pytest.param(b"GET /a b HTTP/1.0\r\n\r\n", 400, id="space"),
        pytest.param(b"GET / HTTP/1.0\r\nA : b\r\n\r\n", 400, id="space-before-colon"),
        pytest.param(b"GET / HTTP/1.0\r\nA: b\r\n folded\r\n\r\n", 400, id="folded"),
        pytest.param(b"GET / HTTP/1.0\r\nA: b\rc\r\n\r\n", 400, id="bare-carriage-return"),
    ],
)
def test_what_is_refused(data, status):
    with pytest.raises(RefusedError) as caught:
        read(data)
    assert caught.value.status == status


def test_a_head_is_bounded_whether_it_ends_or_not():
    for tail in (b"", b"\r\n\r\n"):
        with pytest.raises(RefusedError) as caught:
            take_head(bytearray(b"GET / HTTP/1.0\r\nA: " + b"b" * HEAD_LIMIT + tail))
        assert caught.value.status == 431


def test_a_second_request_waits_its_turn():
    buffer = bytearray(b"GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\nGET")
    assert take_head(buffer) == b"GET /a HTTP/1.0"
    assert take_head(buffer) == b"GET /b HTTP/1.0"
    assert take_head(buffer) is None
    assert buffer == b"GET"


@given(st.one_of(st.binary(), st.binary().map(lambda data: b"GET / HTTP/1.1\r\n" + data)))
def test_any_bytes_are_read_or_refused(data):
    buffer = bytearray(data + b"\r\n\r\n")
    with contextlib.suppress(RefusedError):
        head = take_head(buffer)
        if head is not None:
            assert parse_head(head).method in ("GET", "HEAD")


def test_a_response_always_has_its_length_and_is_not_kept_by_caches():
    data = response_bytes(text_page(503, "not ready"), now=1763712000.9, keep_alive=False)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert "Date: Fri, 21 Nov 2025 08:00:00 GMT" in lines
    assert "Content-Length: 10" in lines
    assert "Cache-Control: no-store" in lines
    assert "Connection: close" in lines
    assert body == b"not ready\n"


def test_head_has_the_length_and_no_body():
    data = response_bytes(text_page(200, "ok"), now=0, head_only=True, keep_alive=True)
    assert data.endswith(b"Connection: keep-alive\r\n\r\n")
    assert b"Content-Length: 3" in data
