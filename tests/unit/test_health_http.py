"""The client's codec: any cut of any response gives the same end, and nothing else an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.health.http import HEAD_LIMIT, ProtocolError, ResponseParser, request_bytes


def feed(data, *, at_once=True, is_end=True, limit=65536):
    """Feed a parser; return its response, or ``None``."""
    parser = ResponseParser(excerpt_limit=limit)
    pieces = [data] if at_once else [data[index : index + 1] for index in range(len(data))]
    for piece in [*pieces, *([b""] if is_end else [])]:
        response = parser.feed(piece)
        if response is not None:
            return response
    return None


def test_a_request_asks_for_the_end_of_the_connection():
    assert request_bytes("/readyz?verbose", "127.0.0.1:9090", (("Accept", "*/*"),)) == (
        b"GET /readyz?verbose HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nUser-Agent: pastebox-health\r\n"
        b"Connection: close\r\nAccept: */*\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("path", "host"),
    [
        pytest.param("readyz", "x", id="no-slash"),
        pytest.param("/a b", "x", id="space"),
        pytest.param("/a\r\nX: y", "x", id="line-end-in-path"),
        pytest.param("/", "x\r\nX: y", id="line-end-in-host"),
        pytest.param("/caf\xe9", "x", id="not-ascii"),
    ],
)
def test_a_request_that_could_say_something_else_is_refused(path, host):
    with pytest.raises(ValueError, match="expected"):
        request_bytes(path, host)


RESPONSES = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 200, b"ok\n", id="length"),
    pytest.param(b"HTTP/1.0 200 OK\r\n\r\nok\n", 200, b"ok\n", id="until-the-end"),
    pytest.param(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, b"", id="no-reason"),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="no-content"),
    pytest.param(
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, b"", id="204-chunked"
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x=y\r\nok\r\n1\r\n\n\r\n0\r\n\r\n",
        200,
        b"ok\n",
        id="chunked",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno",
        503,
        b"no",
        id="interim",
    ),
    pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, b"ok", id="bare-line-feeds"),
]


@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte-by-byte"])
@pytest.mark.parametrize(("data", "status", "body"), RESPONSES)
def test_forms_of_a_response(data, status, body, at_once):
    response = feed(data, at_once=at_once)
    assert response is not None
    assert (response.status, response.body, response.is_truncated) == (status, body, False)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            id="chunked",
        ),
    ],
)
def test_a_response_with_a_length_is_over_before_the_connection_is(data):
    assert feed(data, is_end=False) is not None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "closed without an answer", id="nothing"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: b", "closed in the middle of its head", id="half-head"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "closed in the middle of its body",
            id="half-body",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "closed in the middle of its body",
            id="half-chunk",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP", id="ssh"),
        pytest.param(b"\x15\x03\x03\x00\x02\x02", "not HTTP", id="tls"),
        pytest.param(b"HTTP/2 200\r\n\r\n", "not HTTP", id="version"),
        pytest.param(b"HTTP/1.1 2x0 OK\r\n\r\n", "not HTTP", id="status"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "not a number", id="length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "not a number",
            id="chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
            "too long",
            id="chunk-line",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * HEAD_LIMIT, "longer than", id="head"),
    ],
)
def test_what_is_not_a_response_says_what_it_is(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        feed(data)


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 1000000\r\n\r\n", b"\r\n", b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n"],
)
def test_of_a_long_body_only_the_beginning_is_read(head):
    response = feed(b"HTTP/1.1 200 OK\r\n" + head + b"a" * 5000, is_end=False, limit=100)
    assert response is not None
    assert response.body == b"a" * 100
    assert response.is_truncated


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=10))
def test_any_bytes_in_any_pieces_end_in_a_response_or_a_protocol_error(data, sizes):
    data = b"HTTP/1.1 200 OK\r\n" + data
    parser = ResponseParser(excerpt_limit=50)
    response = None
    try:
        for size in [*sizes, len(data) + 1]:
            piece, data = data[:size], data[size:]
            if piece:
                response = response or parser.feed(piece)
        response = response or parser.feed(b"")
    except ProtocolError:
        return
    assert response is not None
    assert len(response.body) <= 50
