"""FastCGI: what is written is what is read, in any pieces, and nothing else is an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.health import fastcgi
from pastebox.health.fastcgi import PairsReader, RecordReader
from pastebox.health.fastcgi_client import ResponseParser, request_bytes
from pastebox.health.http import BusyError, ProtocolError

texts = st.text(st.characters(max_codepoint=255), max_size=300)
pairs = st.lists(st.tuples(texts, texts), max_size=5)
records = st.lists(
    st.tuples(st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=300)), max_size=5
)
sizes = st.lists(st.integers(1, 40), max_size=20)


def pieces(data, cuts):
    """Cut the data; the rest comes last."""
    for size in cuts:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


@given(records, sizes, st.integers(0, 9))
def test_records_are_read_as_written_in_any_pieces(written, cuts, padding):
    data = b"".join(
        fastcgi.record_header(kind, number, len(content), padding) + content + b"\xff" * padding
        for kind, number, content in written
    )
    reader = RecordReader()
    found = [record for piece in pieces(data, cuts) for record in reader.feed(piece)]
    assert found == written
    assert reader.is_between


@given(pairs)
def test_pairs_are_read_as_written(written):
    assert fastcgi.decode_pairs(fastcgi.encode_pairs(written)) == written


@given(pairs, sizes)
def test_a_stream_of_pairs_may_be_cut_anywhere(written, cuts):
    reader = PairsReader()
    for piece in pieces(fastcgi.encode_pairs(written), cuts):
        assert reader.feed(piece) is None
    assert reader.feed(b"") == written


def test_lengths_of_pairs_are_of_one_or_of_four_bytes():
    assert fastcgi.encode_pairs([("a", "b" * 127)])[:2] == b"\x01\x7f"
    assert fastcgi.encode_pairs([("a", "b" * 128)])[:5] == b"\x01\x80\x00\x00\x80"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200_000])
def test_a_stream_is_cut_into_records_that_carry_it(size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    found = RecordReader().feed(fastcgi.stream(fastcgi.STDOUT, 7, content))
    assert b"".join(part for _, _, part in found) == content
    assert all(part for _, _, part in found)


def test_bodies_are_read_as_written():
    opened, ended, unknown = RecordReader().feed(
        fastcgi.begin_request(9, fastcgi.AUTHORIZER, fastcgi.KEEP_CONN)
        + fastcgi.end_request(9, 3, fastcgi.CANT_MPX_CONN)
        + fastcgi.unknown_type(77)
    )
    assert opened[:2] == (fastcgi.BEGIN_REQUEST, 9)
    assert fastcgi.read_begin_request(opened[2]) == (fastcgi.AUTHORIZER, fastcgi.KEEP_CONN)
    assert fastcgi.read_end_request(ended[2]) == (3, fastcgi.CANT_MPX_CONN)
    assert (unknown[1], fastcgi.read_unknown_type(unknown[2])) == (0, 77)


def test_of_the_values_asked_for_the_known_ones_are_answered():
    asked = RecordReader().feed(fastcgi.get_values([fastcgi.MPXS_CONNS, "X"]))[0]
    answer = fastcgi.get_values_result(asked[2], {fastcgi.MPXS_CONNS: "1", fastcgi.MAX_REQS: "9"})
    kind, number, content = RecordReader().feed(answer)[0]
    assert (kind, number) == (fastcgi.GET_VALUES_RESULT, 0)
    assert fastcgi.decode_pairs(content) == [(fastcgi.MPXS_CONNS, "1")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "version 71", id="http"),
        pytest.param(fastcgi.record(fastcgi.STDIN, 1, b"x" * 101), "at most 100", id="long"),
    ],
)
def test_what_is_no_record_says_what_it_is(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        RecordReader(100).feed(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"\x01", "cut off", id="no-value-length"),
        pytest.param(b"\x01\x80\x00", "cut off", id="half-length"),
        pytest.param(b"\x01\x03abc", "cut off", id="half-value"),
        pytest.param(b"\x01\xff\xff\xff\xffa", "cut off", id="length-of-2-GiB"),
        pytest.param(b"\x00\x00" * 4, "more than 3", id="count"),
    ],
)
def test_pairs_that_are_none_say_so(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        fastcgi.decode_pairs(data, 3)


def test_a_stream_of_pairs_has_a_limit():
    reader = PairsReader(limit=100)
    reader.feed(b"x" * 100)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        reader.feed(b"x")


def test_a_body_of_another_length_is_refused():
    with pytest.raises(ProtocolError, match="expected 8"):
        fastcgi.read_begin_request(b"\0" * 7)


def request_of(data):
    """Return the variables of a whole request."""
    reader, found = PairsReader(), None
    for kind, _, content in RecordReader().feed(data):
        if kind == fastcgi.PARAMS and found is None:
            found = reader.feed(content)
    return dict(found)


def test_a_request_has_the_variables_of_a_front_end():
    found = request_of(request_bytes("/a%20b?c=d", "h:81", (("Accept", "x/y"),)))
    assert found["PATH_INFO"] == "/a b"
    assert found["QUERY_STRING"] == "c=d"
    assert found["REQUEST_URI"] == "/a%20b?c=d"
    assert found["SERVER_NAME"] == "h"
    assert found["SERVER_PORT"] == "81"
    assert found["HTTP_ACCEPT"] == "x/y"


def answer(*parts, status=fastcgi.REQUEST_COMPLETE):
    """Return the records of a response."""
    return b"".join(fastcgi.stream(fastcgi.STDOUT, 1, part) for part in parts) + (
        fastcgi.record(fastcgi.STDOUT, 1) + fastcgi.end_request(1, 0, status)
    )


@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte-by-byte"])
@pytest.mark.parametrize(
    ("data", "status", "body"),
    [
        pytest.param(answer(b"Status: 200 OK\r\n\r\n", b"ok"), 200, b"ok", id="status"),
        pytest.param(answer(b"Content-Type: a/b\n\nok"), 200, b"ok", id="no-status"),
        pytest.param(answer(b"Location: /\r\n\r\n"), 302, b"", id="location"),
        pytest.param(answer(b"HTTP/1.1 503 Busy\r\n\r\nno"), 503, b"no", id="status-line"),
        pytest.param(answer(b"Status: 204 No Content\r\n\r\n"), 204, b"", id="no-content"),
        pytest.param(
            fastcgi.record(fastcgi.STDERR, 1, b"oh") + answer(b"Status: 500 E\r\n\r\n"),
            500,
            b"",
            id="stderr",
        ),
    ],
)
def test_forms_of_a_response(data, status, body, at_once):
    parser = ResponseParser()
    found = None
    for piece in [data] if at_once else pieces(data, [1] * len(data)):
        found = found or parser.feed(piece)
    assert found is not None
    assert (found.status, found.body, found.is_truncated) == (status, body, False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "closed without an answer", id="nothing"),
        pytest.param(answer(b"Status: 200 OK\r\n\r\n")[:12], "closed before the end", id="half"),
        pytest.param(answer(), "ended without an answer", id="empty"),
        pytest.param(answer(b"Status: 2"), "in the middle of its head", id="half-head"),
        pytest.param(answer(b"Content-Length: 3\r\n\r\nok"), "middle of its body", id="half-body"),
        pytest.param(answer(b"Status: two\r\n\r\n"), "status is not a number", id="status"),
        pytest.param(answer(b"<html>\r\n\r\n"), "not a header", id="html"),
        pytest.param(answer(b"A: " + b"b" * 20000), "longer than", id="head"),
        pytest.param(answer(status=fastcgi.UNKNOWN_ROLE), "protocol status 3", id="role"),
        pytest.param(b"HTTP/1.1 400 Bad\r\n", "version 72", id="http"),
    ],
)
def test_what_is_not_a_response_says_what_it_is(data, reason):
    parser = ResponseParser()
    with pytest.raises(ProtocolError, match=reason):
        assert parser.feed(data) or parser.feed(b"") is None


def test_a_server_without_room_is_busy():
    with pytest.raises(BusyError):
        ResponseParser().feed(answer(status=fastcgi.OVERLOADED))


@given(st.binary(max_size=200), sizes)
def test_any_bytes_in_any_pieces_end_in_records_or_a_protocol_error(data, cuts):
    reader, parser, head = RecordReader(), ResponseParser(), PairsReader()
    try:
        for piece in pieces(b"\x01" + data, cuts):
            for _, _, content in reader.feed(piece):
                head.feed(content)
            parser.feed(piece)
    except ProtocolError:
        pass


@given(st.binary(max_size=100))
def test_any_bytes_are_pairs_or_a_protocol_error(data):
    try:
        found = fastcgi.decode_pairs(data)
    except ProtocolError:
        return
    assert fastcgi.decode_pairs(fastcgi.encode_pairs(found)) == found


def test_what_came_before_noise_is_returned_first():
    reader = RecordReader()
    assert len(reader.feed(fastcgi.record(fastcgi.STDIN, 1, b"x") * 2 + b"GET / HTTP/1.1")) == 2
    with pytest.raises(ProtocolError):
        reader.feed(b"")
