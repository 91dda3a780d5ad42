"""AJP: what is written is what is read, in any pieces, and nothing else is an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.health import ajp
from pastebox.health.ajp import ForwardRequest, PacketReader
from pastebox.health.ajp_client import ResponseParser, request_bytes
from pastebox.health.ajp_codes import ATTRIBUTE_NAMES, METHODS, RESPONSE_HEADERS
from pastebox.health.http import ProtocolError

texts = st.text(st.characters(max_codepoint=255), max_size=200)
names = st.sampled_from(["host", "Content-Length", "x-a"]) | texts.filter(
    lambda text: not 0xA000 <= len(text) < 0xA100
)
headers = st.lists(st.tuples(names, texts), max_size=5)
attributes = st.dictionaries(
    st.sampled_from([*(set(ATTRIBUTE_NAMES.values()) - {"ssl_key_size", "stored_method"})]), texts
)
sizes = st.lists(st.integers(1, 40), max_size=20)
requests = st.builds(
    ForwardRequest,
    st.sampled_from(METHODS[1:]) | st.just("BREW"),
    texts,
    protocol=texts,
    remote_addr=texts,
    remote_host=texts,
    server_name=texts,
    server_port=st.integers(0, 65535),
    is_ssl=st.booleans(),
    headers=headers,
    attributes=attributes,
    request_attributes=st.dictionaries(texts, texts, max_size=3),
)


def pieces(data, cuts):
    """Cut the data; the rest comes last."""
    for size in cuts:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


def facts(request):
    """Return everything that a request says; a name that has a code is in lower case."""
    found = {name: getattr(request, name) for name in ForwardRequest.__slots__}
    found["headers"] = [
        (name.lower() if name.lower() in ("host", "content-length") else name, value)
        for name, value in request.headers
    ]
    found["attributes"] = {
        name: value for name, value in request.attributes.items() if name != "stored_method"
    }
    return found


@given(requests, sizes)
def test_a_request_is_read_as_written_in_any_pieces(written, cuts):
    reader = PacketReader(limit=65536)
    data = ajp.encode_forward_request(written) + ajp.cping()
    found = [payload for piece in pieces(data, cuts) for payload in reader.feed(piece)]
    assert facts(ajp.decode_forward_request(found[0])) == facts(written)
    assert found[1:] == [bytes([ajp.CPING])]
    assert reader.is_between


def test_the_size_of_a_key_is_a_number():
    request = ForwardRequest("GET", "/", is_ssl=True, attributes={"ssl_key_size": "256"})
    data = ajp.encode_forward_request(request)
    assert data.endswith(b"\x0b\x01\x00\xff")
    found = ajp.decode_forward_request(data[4:])
    assert found.attributes == {"ssl_key_size": "256"}


def test_names_of_headers_and_methods_are_codes():
    data = ajp.encode_forward_request(ForwardRequest("GET", "/", headers=[("Host", "h")]))
    assert data[4:6] == b"\x02\x02"
    assert b"\x00\x01\xa0\x0b\x00\x01h\x00\xff" in data


@given(st.binary(max_size=300), sizes)
def test_pieces_of_a_body_are_read_as_written(chunk, cuts):
    reader = PacketReader()
    data = ajp.body_packet(chunk) + ajp.body_packet(b"")
    found = [payload for piece in pieces(data, cuts) for payload in reader.feed(piece)]
    assert [ajp.read_body_packet(payload) for payload in found] == [chunk, b""]


def test_the_end_of_a_body_is_an_empty_packet_of_either_form():
    assert ajp.body_packet(b"") == b"\x12\x34\x00\x00"
    assert ajp.read_body_packet(b"\x00\x00") == b""


@given(st.integers(0, 65535), texts, headers)
def test_a_head_is_read_as_written(status, reason, written):
    written = [*written, ("Set-Cookie", "a"), ("set-cookie", "b")]
    data = ajp.send_headers(status, reason, written)
    payload = PacketReader(ajp.TO_FRONT_END, 65536).feed(data)[0]
    found = ajp.read_send_headers(payload)
    expected = [
        (name.lower() if name.lower() in RESPONSE_HEADERS[1:] else name, value)
        for name, value in written
    ]
    assert found == (status, reason, expected)


def test_short_packets_are_read_as_written():
    data = (
        ajp.get_body_chunk(8186)
        + ajp.send_body_chunk(b"abc")
        + ajp.end_response(reuse=True)
        + ajp.end_response(reuse=False)
        + ajp.cpong()
    )
    asked, chunk, kept, closed, pong = PacketReader(ajp.TO_FRONT_END).feed(data)
    assert ajp.read_get_body_chunk(asked) == 8186
    assert ajp.read_send_body_chunk(chunk) == b"abc"
    assert ajp.read_send_body_chunk(chunk[:-1]) == b"abc"
    assert ajp.read_end_response(kept)
    assert not ajp.read_end_response(closed)
    assert pong == bytes([ajp.CPONG])


@pytest.mark.parametrize("limit", [8192, 65536])
def test_the_longest_pieces_fill_a_packet(limit):
    assert len(ajp.body_packet(b"x" * ajp.body_limit(limit))) == limit
    chunk = ajp.send_body_chunk(b"x" * ajp.chunk_limit(limit))
    assert len(chunk) in (limit, limit - 1)
    assert len(PacketReader(ajp.TO_FRONT_END, limit).feed(chunk)) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n", "does not begin", id="http"),
        pytest.param(b"AB\x00\x01\x09", "does not begin", id="direction"),
        pytest.param(b"\x12\x34\x1f\xfd", "at most 8192", id="long"),
    ],
)
def test_what_is_no_packet_says_what_it_is(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        PacketReader().feed(data)


HEAD = b"\x02\x02" + b"\x00\x00\x00" * 5 + b"\x00\x50\x00"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"", "cut off", id="empty"),
        pytest.param(b"\x0a", "not a request", id="cping"),
        pytest.param(HEAD, "cut off", id="no-headers"),
        pytest.param(HEAD + b"\x00\x00", "cut off", id="no-end"),
        pytest.param(HEAD + b"\xff\xff", "cut off", id="headers-that-are-not-there"),
        pytest.param(HEAD + b"\x00\x01\xa0\x0f\x00\x00\x00\xff", "header of code 15", id="header"),
        pytest.param(HEAD + b"\x00\x00\x0e\x00\x00\x00\xff", "attribute of code 14", id="attr"),
        pytest.param(b"\x02\x1c" + HEAD[2:] + b"\x00\x00\xff", "method of code 28", id="method"),
        pytest.param(b"\x02\xff" + HEAD[2:] + b"\x00\x00\xff", "method of code 255", id="stored"),
        pytest.param(b"\x02\x02\x00\x01a\x01", "zero byte", id="no-zero-byte"),
        pytest.param(b"\x02\x02\x00\x05a\x00", "text is cut off", id="text"),
    ],
)
def test_what_is_no_request_says_what_it_is(payload, reason):
    with pytest.raises(ProtocolError, match=reason):
        ajp.decode_forward_request(payload)


def test_a_null_text_is_empty():
    null = b"\xff\xff"
    payload = b"\x02\x02" + null * 5 + b"\x00\x50\x00\x00\x00\xff"
    assert ajp.decode_forward_request(payload).uri == ""


@pytest.mark.parametrize(
    ("read", "payload"),
    [
        (ajp.read_body_packet, b"\x00"),
        (ajp.read_body_packet, b"\x00\x02a"),
        (ajp.read_send_body_chunk, b"\x03\x00\x05a"),
        (ajp.read_send_body_chunk, b"\x04\x00\x00"),
        (ajp.read_send_headers, b"\x03"),
        (ajp.read_get_body_chunk, b"\x06\x00"),
        (ajp.read_end_response, b"\x05"),
        (ajp.read_end_response, b"\x06\x00"),
    ],
)
def test_a_payload_that_is_another_is_refused(read, payload):
    with pytest.raises(ProtocolError):
        read(payload)


@given(st.binary(max_size=200), sizes)
def test_any_bytes_in_any_pieces_end_in_packets_or_a_protocol_error(data, cuts):
    for start, magic in ((b"", ajp.TO_SERVER), (b"\x12\x34\x00\x10", ajp.TO_SERVER)):
        reader = PacketReader(magic)
        try:
            for piece in pieces(start + data, cuts):
                reader.feed(piece)
        except ProtocolError:
            pass


@given(st.binary(max_size=100))
def test_any_payload_is_read_or_refused(data):
    readers = (
        ajp.decode_forward_request,
        ajp.read_body_packet,
        ajp.read_send_headers,
        ajp.read_send_body_chunk,
        ajp.read_get_body_chunk,
        ajp.read_end_response,
    )
    for read in readers:
        for start in (b"", HEAD + b"\x00\x01", b"\x04"):
            try:
                read(start + data)
            except ProtocolError:
                continue


def test_what_came_before_noise_is_returned_first():
    reader = PacketReader()
    assert len(reader.feed(ajp.cping() * 2 + b"GET / HTTP/1.1")) == 2
    with pytest.raises(ProtocolError):
        reader.feed(b"")


ANSWER = (
    ajp.cpong()
    + ajp.get_body_chunk(9)
    + ajp.send_headers(503, "Busy", [("Content-Type", "a/b")])
    + ajp.send_body_chunk(b"no")
    + ajp.send_body_chunk(b"w")
    + ajp.end_response(reuse=False)
)


@pytest.mark.parametrize("at_once", [True, False], ids=["whole", "byte-by-byte"])
def test_the_client_reads_a_response(at_once):
    parser, found = ResponseParser(), None
    for piece in [ANSWER] if at_once else pieces(ANSWER, [1] * len(ANSWER)):
        found = found or parser.feed(piece)
    assert found is not None
    assert (found.status, found.reason, found.body) == (503, "Busy", b"now")


def test_a_ping_is_enough_where_nothing_is_requested():
    assert request_bytes("", "h") == ajp.cping()
    found = ResponseParser(is_ping_only=True).feed(ajp.cpong())
    assert found is not None
    assert found.status == 200


def test_a_request_follows_the_ping_and_has_the_secret():
    data = request_bytes("/a?b=c", "h:81", (("Accept", "x"),), secret="s")
    ping, payload = PacketReader().feed(data)
    found = ajp.decode_forward_request(payload)
    assert ping == bytes([ajp.CPING])
    assert (found.method, found.uri, found.server_name, found.server_port) == ("GET", "/a", "h", 81)
    assert found.attributes == {"query_string": "b=c", "secret": "s"}
    assert ("accept", "x") in found.headers


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "without an answer to CPING", id="nothing"),
        pytest.param(ajp.end_response(reuse=True), "not CPONG", id="no-pong"),
        pytest.param(ANSWER[:-1], "before the end of the response", id="half"),
        pytest.param(ajp.cpong() + ajp.end_response(reuse=True), "no head", id="no-head"),
        pytest.param(ajp.cpong() * 2, "type 9", id="two-pongs"),
        pytest.param(b"HTTP/1.1 400", "does not begin", id="http"),
    ],
)
def test_what_is_not_a_response_says_what_it_is(data, reason):
    parser = ResponseParser()
    with pytest.raises(ProtocolError, match=reason):
        assert (data and parser.feed(data)) or parser.feed(b"")


def test_of_a_long_body_only_the_beginning_is_read():
    parser = ResponseParser(excerpt_limit=10)
    found = parser.feed(
        ajp.cpong() + ajp.send_headers(200, "", []) + ajp.send_body_chunk(b"a" * 99)
    )
    assert found is not None
    assert (found.body, found.is_truncated) == (b"a" * 10, True)
