"""AJP 1.3 packets in both directions: bytes in, bytes out.

Every text is a ``str`` of latin-1 characters, one for each byte, as PEP 3333 has them. Codes are
those of the AJPv1.3 protocol reference of Apache Tomcat Connectors; what it leaves open (the zero
byte after a body chunk, the empty body packet) is as mod_proxy_ajp and mod_jk have it.
"""

from __future__ import annotations

from struct import Struct

from pastebox.health.ajp_codes import RESPONSE_HEADER_CODES, RESPONSE_HEADERS
from pastebox.health.ajp_parts import (
    FRAME,
    NUMBER,
    PACKET_MOST,
    TO_FRONT_END,
    TO_SERVER,
    Cursor,
    header_bytes,
    packet,
    text,
)
from pastebox.health.ajp_request import (
    FORWARD_REQUEST,
    ForwardRequest,
    decode_forward_request,
    encode_forward_request,
)
from pastebox.health.http import ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

    Pairs = list[tuple[str, str]]

__all__ = [
    "FORWARD_REQUEST",
    "TO_FRONT_END",
    "TO_SERVER",
    "ForwardRequest",
    "PacketReader",
    "body_limit",
    "body_packet",
    "chunk_limit",
    "cping",
    "cpong",
    "decode_forward_request",
    "encode_forward_request",
    "end_response",
    "get_body_chunk",
    "packet",
    "read_body_packet",
    "read_end_response",
    "read_get_body_chunk",
    "read_send_body_chunk",
    "read_send_headers",
    "send_body_chunk",
    "send_headers",
]

FRAME_SIZE = 4
PACKET_LIMIT = 8192

# Types of packets, the first byte of a payload; a packet of a request's body has none.
SEND_BODY_CHUNK = 3
SEND_HEADERS = 4
END_RESPONSE = 5
GET_BODY_CHUNK = 6
SHUTDOWN = 7
PING = 8
CPONG = 9
CPING = 10

_STATUS = Struct(">BH")


class PacketReader:
    """Is fed with what arrives, in any pieces, and returns the payloads that are whole.

    Args:
        magic: what a packet begins with: ``TO_SERVER`` or ``TO_FRONT_END``.
        limit: the most bytes of a packet with its frame (``packetSize``, 8192 unless both sides
            are set to more).
    """

    __slots__ = ("_buffer", "_limit", "_magic")

    def __init__(self, magic: bytes = TO_SERVER, limit: int = PACKET_LIMIT) -> None:
        self._magic = magic
        self._limit = limit
        self._buffer = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether the last packet has ended and no other has begun."""
        return not self._buffer

    def feed(self, data: bytes | bytearray | memoryview) -> list[bytes]:
        """Take the next bytes; return the payload of each packet that they complete.

        Raises:
            ProtocolError: this is no packet, or too long a one, and the stream cannot be read on.
                Packets before it are returned first; the next call raises then.
        """
        source: bytes | bytearray | memoryview = data
        if self._buffer:  # else the payloads are cut from what came, without another copy
            self._buffer += data
            source = self._buffer
        found: list[bytes] = []
        at, end = 0, len(source)
        with memoryview(source) as view:
            while end - at >= FRAME_SIZE:
                magic, length = FRAME.unpack_from(view, at)
                if magic != self._magic or length + FRAME_SIZE > self._limit:
                    if found:
                        break
                    raise ProtocolError(self._refusal(magic, length + FRAME_SIZE))
                start = at + FRAME_SIZE
                if end - start < length:
                    break
                at = start + length
                found.append(bytes(view[start:at]))
            rest = None if source is self._buffer else bytes(view[at:])
        if rest is None:
            del self._buffer[:at]
        else:
            self._buffer += rest
        return found

    def _refusal(self, magic: bytes, size: int) -> str:
        if magic != self._magic:
            return "a packet does not begin as one of AJP"
        return f"a packet of {size} bytes, at most {self._limit} taken"


def body_packet(chunk: bytes) -> bytes:
    """Return the packet of a piece of a request's body; an empty one ends it.

    Raises:
        ValueError: the piece is longer than a packet can be.
    """
    return packet(NUMBER.pack(len(chunk)) + chunk) if chunk else packet(b"")


def read_body_packet(payload: bytes) -> bytes:
    """Return the piece of a request's body that a payload holds; empty at its end.

    Raises:
        ProtocolError: the length inside is not that of the payload.
    """
    if not payload:
        return b""
    if len(payload) < NUMBER.size or NUMBER.unpack_from(payload)[0] != len(payload) - NUMBER.size:
        raise ProtocolError("a piece of the body is not of its length")
    return payload[NUMBER.size :]


def body_limit(packet_limit: int = PACKET_LIMIT) -> int:
    """Return the most bytes of a request's body that a packet of this size carries."""
    return packet_limit - FRAME_SIZE - NUMBER.size


def get_body_chunk(most: int) -> bytes:
    """Return the packet that asks the front end for ``most`` bytes of the body."""
    return packet(_STATUS.pack(GET_BODY_CHUNK, most), TO_FRONT_END)


def read_get_body_chunk(payload: bytes) -> int:
    """Return how many bytes are asked for.

    Raises:
        ProtocolError: the payload asks for nothing.
    """
    cursor = Cursor(payload)
    if cursor.byte() != GET_BODY_CHUNK:
        raise ProtocolError("the packet asks for no body")
    return cursor.number()


def send_headers(status: int, reason: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the packet of a response's head.

    Raises:
        ValueError: it is longer than a packet can be, or holds what is not of latin-1.
    """
    content = _STATUS.pack(SEND_HEADERS, status) + text(reason)
    return packet(content + header_bytes(headers, RESPONSE_HEADER_CODES), TO_FRONT_END)


def read_send_headers(payload: bytes) -> tuple[int, str, Pairs]:
    """Return status, reason and headers.

    Raises:
        ProtocolError: the payload is no head, or is cut off.
    """
    cursor = Cursor(payload)
    if cursor.byte() != SEND_HEADERS:
        raise ProtocolError("the packet is not a response's head")
    status, reason = cursor.number(), cursor.text()
    return status, reason, cursor.headers(RESPONSE_HEADERS)


def send_body_chunk(chunk: bytes) -> bytes:
    """Return the packet of a piece of a response's body.

    Raises:
        ValueError: the piece is longer than a packet can be; see :func:`chunk_limit`.
    """
    if len(chunk) >= PACKET_MOST - FRAME_SIZE:
        raise ValueError(f"a piece of {len(chunk)} bytes, expected at most {chunk_limit(65536)}")
    # mod_proxy_ajp counts on a zero byte behind the piece.
    return packet(_STATUS.pack(SEND_BODY_CHUNK, len(chunk)) + chunk + b"\0", TO_FRONT_END)


def chunk_limit(packet_limit: int = PACKET_LIMIT) -> int:
    """Return the most bytes of a response's body that a packet of this size carries."""
    return min(packet_limit, PACKET_MOST - 1) - FRAME_SIZE - _STATUS.size - 1


def read_send_body_chunk(payload: bytes) -> bytes:
    """Return the piece of a response's body; some servers leave the zero byte behind it out.

    Raises:
        ProtocolError: the length inside is not that of the payload.
    """
    cursor = Cursor(payload)
    if cursor.byte() != SEND_BODY_CHUNK:
        raise ProtocolError("the packet is not a piece of a body")
    length = cursor.number()
    if len(payload) - _STATUS.size - length not in (0, 1):
        raise ProtocolError("a piece of the body is not of its length")
    return payload[_STATUS.size : _STATUS.size + length]


def end_response(*, reuse: bool) -> bytes:
    """Return the packet that ends a response, and says whether the connection stays open."""
    return packet(bytes((END_RESPONSE, reuse)), TO_FRONT_END)


def read_end_response(payload: bytes) -> bool:
    """Return whether the connection stays open.

    Raises:
        ProtocolError: the payload ends no response.
    """
    cursor = Cursor(payload)
    if cursor.byte() != END_RESPONSE:
        raise ProtocolError("the packet is not the end of a response")
    return cursor.byte() != 0


def cping() -> bytes:
    """Return the packet by which a front end asks whether the server is alive."""
    return packet(bytes((CPING,)))


def cpong() -> bytes:
    """Return the answer to it."""
    return packet(bytes((CPONG,)), TO_FRONT_END)
