"""SCGI: what is written is what is read, in any pieces, and nothing else is an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.health import scgi
from pastebox.health.cgi import response_head
from pastebox.health.http import ProtocolError
from pastebox.health.scgi import HeadReader, ResponseParser

names = st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=1, max_size=30)
values = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=300)
headers = st.dictionaries(names, values, max_size=6)
sizes = st.lists(st.integers(1, 40), max_size=20)


def pieces(data, cuts):
    """Cut the data; the rest comes last."""
    for size in cuts:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


def netstring(content):
    """Return the content as a netstring."""
    return b"%d:%b," % (len(content), content)


@given(headers, st.binary(max_size=50), sizes)
def test_headers_are_read_as_written_in_any_pieces(written, body, cuts):
    reader, rest, head = HeadReader(), b"", None
    for piece in pieces(scgi.encode(written.items(), len(body)) + body, cuts):
        if head is None:
            head = reader.feed(piece)
            rest = head.rest if head else b""
        else:
            rest += piece
    assert head is not None
    expected = {**written, "CONTENT_LENGTH": str(len(body)), "SCGI": "1"}
    assert (head.headers, head.content_length, rest) == (expected, len(body), body)


def test_the_length_is_the_first_header():
    assert scgi.encode([("A", "b"), ("SCGI", "2")], 27) == (
        b"29:CONTENT_LENGTH\x0027\0SCGI\x001\0A\0b\0,"
    )


@pytest.mark.parametrize("pair", [("", "a"), ("a\0", "b"), ("a", "\0")])
def test_a_header_that_could_say_something_else_is_refused(pair):
    with pytest.raises(ValueError, match="zero byte"):
        scgi.encode([pair])


FIRST = b"CONTENT_LENGTH\x000\0SCGI\x001\0"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "begin with a length", id="http"),
        pytest.param(b":", "begin with a length", id="no-length"),
        pytest.param(b"-1:", "begin with a length", id="negative"),
        pytest.param(b"+1:", "begin with a length", id="plus"),
        pytest.param(b" 1:", "begin with a length", id="space"),
        pytest.param("\u0661:".encode(), "begin with a length", id="other-digits"),
        pytest.param(b"024:" + FIRST + b",", "leading zero", id="leading-zero"),
        pytest.param(b"00:", "leading zero", id="zeros"),
        pytest.param(b"0:,", "cut off", id="empty"),
        pytest.param(b"9999999", "more than 1048576", id="length-without-end"),
        pytest.param(b"1048577:", "more than 1048576", id="length"),
        pytest.param(b"%d:%b;" % (len(FIRST), FIRST), "end with a comma", id="no-comma"),
        pytest.param(netstring(FIRST[:-1]), "cut off", id="no-last-zero"),
        pytest.param(netstring(FIRST + b"A\0"), "no value", id="no-value"),
        pytest.param(netstring(FIRST + b"\0b\0"), "no name", id="no-name"),
        pytest.param(netstring(b"SCGI\x001\0CONTENT_LENGTH\x000\0"), "the first", id="order"),
        pytest.param(netstring(b"CONTENT_LENGTH\x000\0"), "SCGI is not 1", id="no-scgi"),
        pytest.param(netstring(FIRST + b"SCGI\x002\0"), "SCGI is not 1", id="scgi-2"),
        pytest.param(netstring(FIRST + b"CONTENT_LENGTH\x001\0"), "differs", id="two-lengths"),
        pytest.param(
            netstring(b"CONTENT_LENGTH\x00-1\0SCGI\x001\0"), "not a number", id="negative-body"
        ),
        pytest.param(
            netstring(b"CONTENT_LENGTH\x00" + b"9" * 30 + b"\0SCGI\x001\0"),
            "not a number",
            id="endless-body",
        ),
        pytest.param(netstring(FIRST + b"A\0b\0" * 1000), "more than 1000", id="count"),
    ],
)
def test_what_is_no_request_says_what_it_is(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        HeadReader().feed(data)


def test_an_empty_length_is_no_body():
    head = HeadReader().feed(netstring(b"CONTENT_LENGTH\0\0SCGI\x001\0"))
    assert head is not None
    assert head.content_length == 0


def test_a_request_has_the_variables_of_a_front_end():
    head = HeadReader().feed(scgi.request_bytes("/a%20b%zz?c=d", "[::1]:81", (("Accept", "x"),)))
    assert head is not None
    assert head.headers["PATH_INFO"] == "/a b%zz"
    assert head.headers["QUERY_STRING"] == "c=d"
    assert head.headers["SERVER_NAME"] == "[::1]"
    assert head.headers["SERVER_PORT"] == "81"
    assert head.headers["HTTP_ACCEPT"] == "x"


@pytest.mark.parametrize("path", ["readyz", "/a b", "/a\r\nb", "/caf\xe9"])
def test_a_path_that_could_say_something_else_is_refused(path):
    with pytest.raises(ValueError, match="expected"):
        scgi.request_bytes(path, "x")


@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte-by-byte"])
def test_a_response_ends_with_the_connection(at_once):
    data = response_head("200 OK", [("Content-Type", "a/b")]) + b"ok"
    parser = ResponseParser()
    for piece in [data] if at_once else pieces(data, [1] * len(data)):
        assert parser.feed(piece) is None
    found = parser.feed(b"")
    assert found is not None
    assert (found.status, found.reason, found.body) == (200, "OK", b"ok")


def test_a_response_with_a_length_is_over_before_the_connection_is():
    found = ResponseParser().feed(response_head("200 OK", [("Content-Length", "2")]) + b"ok?")
    assert found is not None
    assert found.body == b"ok"


def test_of_a_long_body_only_the_beginning_is_read():
    found = ResponseParser(excerpt_limit=10).feed(response_head("200 OK", []) + b"a" * 50)
    assert found is not None
    assert (found.body, found.is_truncated) == (b"a" * 10, True)


@given(st.binary(max_size=200), sizes)
def test_any_bytes_in_any_pieces_end_in_a_head_or_a_protocol_error(data, cuts):
    for start in (b"", b"24:CONTENT_LENGTH\x000\0"):
        reader, parser = HeadReader(), ResponseParser()
        try:
            for piece in pieces(start + data, cuts):
                if reader.feed(piece) is not None:
                    break
        except ProtocolError:
            pass
        try:
            for piece in [*pieces(start + data, cuts), b""]:
                if parser.feed(piece) is not None:
                    break
        except ProtocolError:
            pass
