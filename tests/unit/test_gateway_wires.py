"""The receiving ends: bytes in any pieces to requests, and refusals of what cannot be."""

import pytest

from pastebox.gateway.ajp import AjpWire
from pastebox.gateway.fastcgi import Capacity, FastCgiWire
from pastebox.gateway.scgi import ScgiWire
from pastebox.health import ajp, fastcgi, scgi
from pastebox.health.http import ProtocolError


class Host:
    """Remembers what a wire asked for."""

    def __init__(self):
        self.requests = []
        self.said = b""
        self.is_finished = False

    def begin(self, request):
        self.requests.append(request)

    def say(self, data):
        self.said += data

    def finish(self):
        self.is_finished = True


def fed(make, data, step):
    host = Host()
    wire = make(host)
    for at in range(0, len(data), step):
        wire.feed(data[at : at + step])
    return host, wire


def scgi_request(body=b"hello", **more):
    return scgi.encode([("REQUEST_METHOD", "POST"), *more.items()], len(body)) + body


def fcgi_request(body=b"hello", number=1, flags=0, role=fastcgi.RESPONDER, **more):
    pairs = [("REQUEST_METHOD", "POST"), *more.items()]
    return b"".join(
        (
            fastcgi.begin_request(number, role, flags),
            fastcgi.stream(fastcgi.PARAMS, number, fastcgi.encode_pairs(pairs)),
            fastcgi.record(fastcgi.PARAMS, number),
            fastcgi.stream(fastcgi.STDIN, number, body),
            fastcgi.record(fastcgi.STDIN, number),
        )
    )


def ajp_request(body=b"hello", **attributes):
    asked = ajp.ForwardRequest(
        "POST",
        "/x%20y",
        remote_addr="10.0.0.1",
        headers=[("content-length", str(len(body))), ("cookie", "a=1"), ("cookie", "b=2")],
        attributes=attributes,
    )
    return ajp.encode_forward_request(asked) + ajp.body_packet(body)


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("make", "data"),
    [
        pytest.param(ScgiWire, scgi_request(), id="scgi"),
        pytest.param(FastCgiWire, fcgi_request(), id="fastcgi"),
        pytest.param(AjpWire, ajp_request(), id="ajp"),
    ],
)
def test_a_request_is_read_in_any_pieces(make, data, step):
    host, wire = fed(make, data, step)
    (request,) = host.requests
    assert request.environ["REQUEST_METHOD"] == "POST"
    assert request.body.opened().read() == b"hello"
    assert not request.refusal
    assert not wire.is_midway


@pytest.mark.parametrize(
    ("make", "data"),
    [
        pytest.param(ScgiWire, scgi_request(), id="scgi"),
        pytest.param(FastCgiWire, fcgi_request(), id="fastcgi"),
        pytest.param(AjpWire, ajp_request(), id="ajp"),
    ],
)
def test_every_beginning_is_midway(make, data):
    for end in range(1, len(data)):
        host, wire = fed(make, data[:end], end)
        assert host.requests or wire.is_midway


@pytest.mark.parametrize(
    ("make", "data"),
    [
        pytest.param(ScgiWire, b"99999999999999:", id="scgi-absurd-length"),
        pytest.param(ScgiWire, b"-1:", id="scgi-negative-length"),
        pytest.param(ScgiWire, b"GET / HTTP/1.1\r\n", id="scgi-http"),
        pytest.param(FastCgiWire, b"GET / HTTP/1.1\r\n", id="fastcgi-http"),
        pytest.param(FastCgiWire, fastcgi.begin_request(1) * 2, id="fastcgi-begins-twice"),
        pytest.param(
            FastCgiWire,
            fastcgi.begin_request(1) + fastcgi.record(fastcgi.STDIN, 1, b"x"),
            id="fastcgi-body-before-parameters",
        ),
        pytest.param(AjpWire, b"GET / HTTP/1.1\r\n", id="ajp-http"),
        pytest.param(AjpWire, ajp.packet(b"\x63"), id="ajp-unknown-type"),
    ],
)
def test_what_cannot_be_is_refused(make, data):
    with pytest.raises(ProtocolError):
        fed(make, data, 5)


def test_scgi_without_a_length_but_chunked_is_told_what_is_missing():
    data = b"CONTENT_LENGTH\0\0SCGI\x001\0HTTP_TRANSFER_ENCODING\0chunked\0"
    host, _ = fed(ScgiWire, b"%d:%s," % (len(data), data), 100)
    assert host.requests[0].refusal == "411 Length Required"


def test_fastcgi_body_without_a_length_has_the_one_that_came():
    host, _ = fed(FastCgiWire, fcgi_request(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked"), 9)
    assert host.requests[0].environ["CONTENT_LENGTH"] == "5"
    assert "HTTP_TRANSFER_ENCODING" not in host.requests[0].environ


def test_fastcgi_body_shorter_than_its_length_is_refused():
    host, _ = fed(FastCgiWire, fcgi_request(CONTENT_LENGTH="6"), 9)
    assert host.requests[0].refusal == "400 Bad Request"


def test_fastcgi_says_what_it_can():
    wanted = (fastcgi.MAX_CONNS, fastcgi.MAX_REQS, fastcgi.MPXS_CONNS, "OTHER")
    host = Host()
    wire = FastCgiWire(host, Capacity(7, 8, is_multiplexing=False))
    wire.feed(fastcgi.get_values(wanted))
    ((kind, number, content),) = fastcgi.RecordReader().feed(host.said)
    assert (kind, number) == (fastcgi.GET_VALUES_RESULT, 0)
    assert dict(fastcgi.decode_pairs(content)) == {
        fastcgi.MAX_CONNS: "7",
        fastcgi.MAX_REQS: "8",
        fastcgi.MPXS_CONNS: "0",
    }


def test_fastcgi_management_record_of_an_unknown_type_is_answered():
    host, _ = fed(FastCgiWire, fastcgi.record(99, 0), 8)
    ((kind, _, content),) = fastcgi.RecordReader().feed(host.said)
    assert kind == fastcgi.UNKNOWN_TYPE
    assert fastcgi.read_unknown_type(content) == 99


@pytest.mark.parametrize(
    ("data", "capacity", "status"),
    [
        pytest.param(
            fastcgi.begin_request(1, fastcgi.FILTER), Capacity(), fastcgi.UNKNOWN_ROLE, id="role"
        ),
        pytest.param(
            fastcgi.begin_request(1) + fastcgi.begin_request(2),
            Capacity(is_multiplexing=False),
            fastcgi.CANT_MPX_CONN,
            id="multiplexing",
        ),
    ],
)
def test_fastcgi_refuses_with_the_protocols_word(data, capacity, status):
    host = Host()
    FastCgiWire(host, capacity).feed(data)
    ((kind, _, content),) = fastcgi.RecordReader().feed(host.said)
    assert kind == fastcgi.END_REQUEST
    assert fastcgi.read_end_request(content) == (0, status)


def test_fastcgi_abort_marks_a_request_that_runs_and_ends_one_that_arrives():
    host = Host()
    wire = FastCgiWire(host)
    wire.feed(fcgi_request(number=1, flags=fastcgi.KEEP_CONN))
    wire.feed(fastcgi.begin_request(2, flags=fastcgi.KEEP_CONN))
    wire.feed(fastcgi.record(fastcgi.ABORT_REQUEST, 1) + fastcgi.record(fastcgi.ABORT_REQUEST, 2))
    assert host.requests[0].is_aborted
    ((kind, number, _),) = fastcgi.RecordReader().feed(host.said)
    assert (kind, number) == (fastcgi.END_REQUEST, 2)
    assert not wire.is_midway


def test_fastcgi_authorizer_has_no_body():
    data = fcgi_request(b"", role=fastcgi.AUTHORIZER, CONTENT_LENGTH="12")
    host, _ = fed(FastCgiWire, data, 11)
    assert host.requests[0].environ["FCGI_ROLE"] == "AUTHORIZER"
    assert not host.requests[0].refusal


def test_ajp_asks_for_the_rest_of_the_body():
    body = b"x" * 10_000
    first, second = body[:8000], body[8000:]
    asked = ajp.ForwardRequest("POST", "/", headers=[("content-length", "10000")])
    host = Host()
    wire = AjpWire(host)
    wire.feed(ajp.encode_forward_request(asked) + ajp.body_packet(first))
    (payload,) = ajp.PacketReader(ajp.TO_FRONT_END).feed(host.said)
    assert ajp.read_get_body_chunk(payload) == 2000
    wire.feed(ajp.body_packet(second))
    assert host.requests[0].body.opened().read() == body


def test_ajp_reads_a_chunked_body_to_its_end():
    asked = ajp.ForwardRequest("POST", "/", headers=[("Transfer-Encoding", "chunked")])
    host = Host()
    wire = AjpWire(host)
    wire.feed(ajp.encode_forward_request(asked))
    for piece in (b"one", b"two", b""):
        wire.feed(ajp.body_packet(piece))
    assert host.requests[0].environ["CONTENT_LENGTH"] == "6"
    assert len(ajp.PacketReader(ajp.TO_FRONT_END).feed(host.said)) == 3


def test_ajp_takes_lighttpds_pieces_without_their_length():
    asked = ajp.ForwardRequest("POST", "/", headers=[("content-length", "10000")])
    host = Host()
    wire = AjpWire(host)
    wire.feed(ajp.encode_forward_request(asked) + ajp.packet(b"x" * 8000))
    wire.feed(ajp.packet(b"y" * 2000))
    assert host.requests[0].body.opened().read() == b"x" * 8000 + b"y" * 2000


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        pytest.param({}, "403 Forbidden", id="none"),
        pytest.param({"secret": "wrong"}, "403 Forbidden", id="wrong"),
        pytest.param({"secret": "right"}, "", id="right"),
    ],
)
def test_ajp_secret(given, refusal):
    host = Host()
    AjpWire(host, "right").feed(ajp_request(**given))
    assert host.requests[0].refusal == refusal


def test_ajp_cping_is_answered():
    host, _ = fed(AjpWire, ajp.cping(), 2)
    assert host.said == ajp.cpong()


def test_ajp_joins_headers_that_come_twice():
    host, _ = fed(AjpWire, ajp_request(), 100)
    assert host.requests[0].environ["HTTP_COOKIE"] == "a=1; b=2"
    assert host.requests[0].environ["PATH_INFO"] == "/x y"


def test_ajp_shutdown_from_outside_is_ignored():
    host, _ = fed(AjpWire, ajp.packet(bytes((ajp.SHUTDOWN,))) + ajp_request(), 100)
    assert len(host.requests) == 1
