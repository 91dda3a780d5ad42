"""FastCGI 1.0 framing in both directions: bytes in, bytes out.

Every text is a ``str`` of latin-1 characters, one for each byte, as PEP 3333 has them. Numbers in
brackets are sections of the FastCGI 1.0 specification.
"""

from __future__ import annotations

from struct import Struct, error

from pastebox.health.http import ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

    Pairs = list[tuple[str, str]]
    Record = tuple[int, int, bytes]

VERSION = 1
HEADER_SIZE = 8
CONTENT_LIMIT = 65535

# Types of records [8].
BEGIN_REQUEST = 1
ABORT_REQUEST = 2
END_REQUEST = 3
PARAMS = 4
STDIN = 5
STDOUT = 6
STDERR = 7
DATA = 8
GET_VALUES = 9
GET_VALUES_RESULT = 10
UNKNOWN_TYPE = 11

# Roles and flags of BEGIN_REQUEST [5.1].
RESPONDER = 1
AUTHORIZER = 2
FILTER = 3
KEEP_CONN = 1

# Protocol statuses of END_REQUEST [5.5].
REQUEST_COMPLETE = 0
CANT_MPX_CONN = 1
OVERLOADED = 2
UNKNOWN_ROLE = 3

# What GET_VALUES may ask for [4.1].
MAX_CONNS = "FCGI_MAX_CONNS"
MAX_REQS = "FCGI_MAX_REQS"
MPXS_CONNS = "FCGI_MPXS_CONNS"

PARAMS_LIMIT = 1 << 20
PAIRS_LIMIT = 1000

_HEADER = Struct(">BBHHBx")
_BEGIN = Struct(">HB5x")
_END = Struct(">IB3x")
_UNKNOWN = Struct(">B7x")
_LONG = Struct(">I")
_LONG_FLAG = 1 << 31
_SHORT_LIMIT = 128


class RecordReader:
    """Is fed with what arrives, in any pieces, and returns the records that are whole.

    Args:
        limit: the most bytes that one record may carry.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int = CONTENT_LIMIT) -> None:
        self._limit = limit
        self._buffer = bytearray()

    @property
    def is_between(self) -> bool:
        """Whether the last record has ended and no other has begun."""
        return not self._buffer

    def feed(self, data: bytes | bytearray | memoryview) -> list[Record]:
        """Take the next bytes; return (type, request id, content) of each record they complete.

        Raises:
            ProtocolError: this is no record, or too long a one, and the stream cannot be read on.
                Records before it are returned first; the next call raises then.
        """
        source: bytes | bytearray | memoryview = data
        if self._buffer:  # else the records are cut from what came, without another copy
            self._buffer += data
            source = self._buffer
        found: list[Record] = []
        at, end = 0, len(source)
        with memoryview(source) as view:
            while end - at >= HEADER_SIZE:
                version, kind, request_id, length, padding = _HEADER.unpack_from(view, at)
                if version != VERSION or length > self._limit:
                    if found:
                        break
                    raise ProtocolError(self._refusal(version, length))
                start = at + HEADER_SIZE
                if end - start < length + padding:
                    break
                found.append((kind, request_id, bytes(view[start : start + length])))
                at = start + length + padding
            rest = None if source is self._buffer else bytes(view[at:])
        if rest is None:
            del self._buffer[:at]
        else:
            self._buffer += rest
        return found

    def _refusal(self, version: int, length: int) -> str:
        if version != VERSION:
            return f"a FastCGI record of version {version}, expected {VERSION}"
        return f"a record of {length} bytes, at most {self._limit} taken"


class PairsReader:
    """Collects a stream of name-value pairs (PARAMS), which may be cut anywhere.

    Args:
        limit: the most bytes of all of them together.
        count: the most pairs.
    """

    __slots__ = ("_buffer", "_count", "_limit")

    def __init__(self, limit: int = PARAMS_LIMIT, count: int = PAIRS_LIMIT) -> None:
        self._limit = limit
        self._count = count
        self._buffer = bytearray()

    def feed(self, content: bytes) -> Pairs | None:
        """Take a record's content; return all pairs at the empty one, which ends the stream.

        Raises:
            ProtocolError: the pairs are cut off, too many or too long.
        """
        if not content:
            return decode_pairs(bytes(self._buffer), self._count)
        self._buffer += content
        if len(self._buffer) > self._limit:
            raise ProtocolError(f"parameters of more than {self._limit} bytes")
        return None


def record_header(kind: int, request_id: int, length: int, padding: int = 0) -> bytes:
    """Return the header of a record whose content is sent by itself."""
    return _HEADER.pack(VERSION, kind, request_id, length, padding)


def record(kind: int, request_id: int, content: bytes = b"") -> bytes:
    """Return one record; an empty one ends a stream.

    Raises:
        ValueError: the content is longer than a record can carry; see :func:`stream`.
    """
    try:
        return _HEADER.pack(VERSION, kind, request_id, len(content), 0) + content
    except error:
        raise ValueError(f"a record of {len(content)} bytes, expected 65535 at most") from None


def stream(kind: int, request_id: int, content: bytes) -> bytes:
    """Return as many records as the content needs; none for none, as that would end the stream."""
    if len(content) <= CONTENT_LIMIT:
        return record(kind, request_id, content) if content else b""
    step = CONTENT_LIMIT - 7  # a multiple of eight, so that the next header is aligned
    view = memoryview(content)
    parts: list[bytes | memoryview] = []
    for at in range(0, len(content), step):
        piece = view[at : at + step]
        parts += (record_header(kind, request_id, len(piece)), piece)
    return b"".join(parts)


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return name-value pairs as bytes [3.4].

    Raises:
        UnicodeEncodeError: a text is not of latin-1 characters.
    """
    parts: list[bytes] = []
    for name, value in pairs:
        parts += (
            _length(len(name)),
            _length(len(value)),
            name.encode("latin-1"),
            value.encode("latin-1"),
        )
    return b"".join(parts)


def _length(number: int) -> bytes:
    return bytes((number,)) if number < _SHORT_LIMIT else _LONG.pack(number | _LONG_FLAG)


def decode_pairs(data: bytes, count: int = PAIRS_LIMIT) -> Pairs:
    """Return the pairs in their order; a name may come twice.

    Raises:
        ProtocolError: they are cut off, or more than ``count``.
    """
    text = data.decode("latin-1")
    found: Pairs = []
    at, end = 0, len(data)
    while at < end:
        if len(found) == count:
            raise ProtocolError(f"more than {count} parameters")
        name_length, at = _read_length(data, at)
        value_length, at = _read_length(data, at)
        middle = at + name_length
        last = middle + value_length
        if last > end:
            raise ProtocolError("a parameter is cut off")
        found.append((text[at:middle], text[middle:last]))
        at = last
    return found


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    if at < len(data) and data[at] < _SHORT_LIMIT:
        return data[at], at + 1
    if at + 4 > len(data):
        raise ProtocolError("a parameter is cut off")
    return _LONG.unpack_from(data, at)[0] ^ _LONG_FLAG, at + 4


def begin_request(request_id: int, role: int = RESPONDER, flags: int = 0) -> bytes:
    """Return the record that opens a request."""
    return record(BEGIN_REQUEST, request_id, _BEGIN.pack(role, flags))


def read_begin_request(content: bytes) -> tuple[int, int]:
    """Return role and flags.

    Raises:
        ProtocolError: the content is not of its length.
    """
    role, flags = _body(_BEGIN, content)
    return role, flags


def end_request(
    request_id: int, app_status: int = 0, protocol_status: int = REQUEST_COMPLETE
) -> bytes:
    """Return the record that ends a request."""
    return record(END_REQUEST, request_id, _END.pack(app_status, protocol_status))


def read_end_request(content: bytes) -> tuple[int, int]:
    """Return the application's status and the protocol's.

    Raises:
        ProtocolError: the content is not of its length.
    """
    app_status, protocol_status = _body(_END, content)
    return app_status, protocol_status


def get_values(names: Iterable[str]) -> bytes:
    """Return the record by which a front end asks what the application can do."""
    return record(GET_VALUES, 0, encode_pairs((name, "") for name in names))


def get_values_result(asked: bytes, values: dict[str, str]) -> bytes:
    """Return the answer to GET_VALUES: of what is asked for, the values that are known.

    Raises:
        ProtocolError: the question is malformed.
    """
    names = dict(decode_pairs(asked))
    known = [(name, values[name]) for name in names if name in values]
    return record(GET_VALUES_RESULT, 0, encode_pairs(known))


def unknown_type(kind: int) -> bytes:
    """Return the answer to a management record of a type that is not known."""
    return record(UNKNOWN_TYPE, 0, _UNKNOWN.pack(kind))


def read_unknown_type(content: bytes) -> int:
    """Return the type that the other side does not know.

    Raises:
        ProtocolError: the content is not of its length.
    """
    return int(_body(_UNKNOWN, content)[0])


def _body(form: Struct, content: bytes) -> tuple[int, ...]:
    if len(content) != form.size:
        raise ProtocolError(f"a record's body of {len(content)} bytes, expected {form.size}")
    return form.unpack(content)
