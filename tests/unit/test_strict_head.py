"""Heads that are read in one way only, and those that are not."""

import io

import pytest

from pastebox.runners.strict_head import HeadLines, fault_of


def head(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (*lines, b""))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((b"GET / HTTP/1.0",), id="bare"),
        pytest.param((b"GET /%41?b=c;d|{}\"'#x HTTP/1.1", b"Host: x"), id="target"),
        pytest.param((b"GET http://example.com/a HTTP/1.1", b"Host: x"), id="absolute"),
        pytest.param((b"OPTIONS * HTTP/1.1", b"Host: x"), id="asterisk"),
        pytest.param((b"CONNECT example.com:443 HTTP/1.1", b"Host: x"), id="authority"),
        pytest.param((b"M-SEARCH!# / HTTP/1.1", b"Host: x"), id="method"),
        pytest.param((b"GET / HTTP/1.1", b"X-A:", b"X-B:\t\xe9 \t"), id="values"),
        pytest.param((b"GET / HTTP/1.1", b"X_Underscore: 1"), id="underscore"),
        pytest.param((b"POST / HTTP/1.1", b"content-LENGTH:  7 "), id="length"),
        pytest.param((b"POST / HTTP/1.1", b"Transfer-Encoding: chunked"), id="chunked"),
    ],
)
def test_a_sound_head_passes(lines):
    assert fault_of(head(*lines)) == ""


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(head(b"GET /"), id="no version"),
        pytest.param(head(b"GET / HTTP/2.0"), id="other version"),
        pytest.param(head(b"GET  / HTTP/1.1"), id="two spaces"),
        pytest.param(head(b"GET /a b HTTP/1.1"), id="space in the target"),
        pytest.param(head(b"GET /\0 HTTP/1.1"), id="NUL in the target"),
        pytest.param(head(b"GET /\xe9 HTTP/1.1"), id="no ASCII"),
        pytest.param(head(b"GET a HTTP/1.1"), id="relative"),
        pytest.param(head(b"GET * HTTP/1.1"), id="asterisk"),
        pytest.param(head(b"GET\0 / HTTP/1.1"), id="NUL in the method"),
        pytest.param(b"GET / HTTP/1.1\nHost: x\r\n\r\n", id="bare LF in the line"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\nHost: x\r\n\r\n", id="bare LF in a field"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", id="bare CR"),
        pytest.param(head(b"GET / HTTP/1.1", b"A: b", b" c"), id="folded"),
        pytest.param(head(b"GET / HTTP/1.1", b" A: b"), id="space before the first"),
        pytest.param(head(b"GET / HTTP/1.1", b"A : b"), id="space before the colon"),
        pytest.param(head(b"GET / HTTP/1.1", b": b"), id="no name"),
        pytest.param(head(b"GET / HTTP/1.1", b"A"), id="no colon"),
        pytest.param(head(b"GET / HTTP/1.1", b"A: \x07"), id="control character"),
        pytest.param(head(b"P / HTTP/1.1", b"Content-Length: +1"), id="sign"),
        pytest.param(head(b"P / HTTP/1.1", b"Content-Length: 1, 1"), id="list of lengths"),
        pytest.param(head(b"P / HTTP/1.1", b"Content-Length:"), id="empty length"),
        pytest.param(
            head(b"P / HTTP/1.1", b"Content-Length: 1", b"Content-Length: 1"), id="two lengths"
        ),
        pytest.param(
            head(b"P / HTTP/1.1", b"Content-Length: 1", b"TRANSFER-encoding: chunked"), id="both"
        ),
        pytest.param(
            head(b"P / HTTP/1.1", b"Transfer-Encoding: chunked", b"Transfer-Encoding: x"),
            id="two codings",
        ),
        pytest.param(head(b"P / HTTP/1.0", b"Transfer-Encoding: chunked"), id="chunked in 1.0"),
        pytest.param(head(b"GET / HTTP/1.1", b"Host: a", b"hOST: b"), id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n", id="no end"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(data):
    assert fault_of(data)


def test_a_head_is_judged_while_it_is_read_in_pieces():
    """cheroot reads 256 bytes at a time: a line end that comes alone is not the empty line."""
    data = head(b"GET / HTTP/1.1", b"A: " + b"x" * 253, b"Content-Length: 3", b"Content-Length: 4")
    lines = HeadLines(io.BufferedReader(io.BytesIO(b"\r\n" + data + b"body\r\n\r\n")))
    lines.begin()
    while not lines.readline(256).startswith(b"body"):
        pass
    assert "more than one way" in lines.fault()


def test_each_head_of_a_connection_is_judged_for_itself():
    good, bad = head(b"GET / HTTP/1.1", b"Host: x"), head(b"GET / HTTP/1.1", b"Host : x")
    lines = HeadLines(io.BufferedReader(io.BytesIO(bad + good)))
    faults = []
    for _ in range(2):
        lines.begin()
        while lines.readline() != b"\r\n":
            pass
        faults.append(lines.fault())
    assert faults == ["malformed header line", ""]
