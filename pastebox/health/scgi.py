"""SCGI framing in both directions: a netstring of headers, then bytes until the end.

Every text is a ``str`` of latin-1 characters, one for each byte, as PEP 3333 has them.
"""

from __future__ import annotations

from pastebox.health.cgi import HeadParser, variables
from pastebox.health.http import EXCERPT_LIMIT, ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Head", "HeadReader", "ResponseParser", "decode_headers", "encode", "request_bytes"]

HEADERS_LIMIT = 1 << 20
COUNT_LIMIT = 1000
_NUMBER_LIMIT = 19  # digits of 2**63


class Head:
    """The headers of one request.

    Attributes:
        headers: names and values; of a name that comes twice the last.
        content_length: bytes of the body that follows.
        rest: what arrived behind the headers: the beginning of the body, if not more.
    """

    __slots__ = ("content_length", "headers", "rest")

    def __init__(self, headers: dict[str, str], content_length: int, rest: bytes) -> None:
        self.headers = headers
        self.content_length = content_length
        self.rest = rest


class HeadReader:
    """Is fed with what arrives, in any pieces, until the headers are whole.

    Args:
        limit: the most bytes of all headers together.
        count: the most headers.
    """

    __slots__ = ("_buffer", "_count", "_limit", "_size", "_start")

    def __init__(self, limit: int = HEADERS_LIMIT, count: int = COUNT_LIMIT) -> None:
        self._limit = limit
        self._count = count
        self._buffer: bytes | bytearray = b""
        self._size = -1
        self._start = 0

    @property
    def has_begun(self) -> bool:
        """Whether anything has arrived."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Head | None:
        """Take the next bytes; return the head once it is whole.

        Raises:
            ProtocolError: this is no SCGI request, or passes a limit.
        """
        if not self._buffer:
            self._buffer = data  # mostly, it is all
        elif isinstance(self._buffer, bytearray):
            self._buffer += data
        else:
            self._buffer = bytearray(self._buffer + data)
        if self._size < 0 and not self._take_size():
            return None
        end = self._start + self._size
        if len(self._buffer) <= end:
            return None
        if self._buffer[end] != ord(","):
            raise ProtocolError("the headers do not end with a comma")
        content, rest = bytes(self._buffer[self._start : end]), bytes(self._buffer[end + 1 :])
        headers, content_length = decode_headers(content, self._count)
        return Head(headers, content_length, rest)

    def _take_size(self) -> bool:
        """Read the length that a netstring begins with; say whether it is whole."""
        most = len(str(self._limit))
        end = self._buffer.find(b":", 0, most + 1)
        digits = bytes(self._buffer[: most + 1] if end < 0 else self._buffer[:end])
        if digits and not digits.isdigit():
            raise ProtocolError("the request does not begin with a length")
        if digits[:1] == b"0" and len(digits) > 1:
            raise ProtocolError("the length of the headers has a leading zero")
        if end == 0:
            raise ProtocolError("the request does not begin with a length")
        if int(digits or 0) > self._limit:
            raise ProtocolError(f"headers of more than {self._limit} bytes")
        if end < 0:
            return False
        self._size, self._start = int(digits), end + 1
        return True


def decode_headers(content: bytes, count: int = COUNT_LIMIT) -> tuple[dict[str, str], int]:
    """Return the headers of a netstring's content, and the length of the body.

    Raises:
        ProtocolError: the content is malformed, or what each request must have is missing.
    """
    if content[-1:] != b"\0":
        raise ProtocolError("the last header is cut off")
    parts = content.decode("latin-1").split("\0")
    del parts[-1]
    if len(parts) % 2:
        raise ProtocolError("a header has no value")
    if len(parts) > 2 * count:
        raise ProtocolError(f"more than {count} headers")
    if parts[0] != "CONTENT_LENGTH":
        raise ProtocolError("the first header is not CONTENT_LENGTH")
    headers = dict(zip(parts[::2], parts[1::2], strict=True))
    if "" in headers:
        raise ProtocolError("a header has no name")
    if headers.get("SCGI") != "1":
        raise ProtocolError("the header SCGI is not 1")
    length = parts[1]
    if headers["CONTENT_LENGTH"] != length:
        raise ProtocolError("CONTENT_LENGTH comes twice and differs")
    if length and not (length.isascii() and length.isdigit() and len(length) < _NUMBER_LIMIT):
        raise ProtocolError("CONTENT_LENGTH is not a number")
    return headers, int(length or 0)


def encode(headers: Iterable[tuple[str, str]], content_length: int = 0) -> bytes:
    """Return the netstring of a request; ``CONTENT_LENGTH`` and ``SCGI`` are put before the rest.

    Raises:
        ValueError: a header holds a zero byte, or a character that is not of latin-1.
    """
    parts = ["CONTENT_LENGTH", str(content_length), "SCGI", "1"]
    for name, value in headers:
        if name in ("CONTENT_LENGTH", "SCGI"):
            continue
        if not name or "\0" in name or "\0" in value:
            raise ValueError(f"header {name!r}: expected a name, and no zero byte")
        parts += (name, value)
    content = ("\0".join(parts) + "\0").encode("latin-1")
    return b"%d:%b," % (len(content), content)


def request_bytes(path: str, host: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a whole GET request.

    Raises:
        ValueError: the path or a header cannot be written in a request.
    """
    return encode(variables(path, host, headers))


class ResponseParser(HeadParser):
    """Is fed with what arrives, and returns the response once enough of it is there.

    A CGI response is the whole stream, which the end of the connection ends.
    """

    __slots__ = ()

    def __init__(self, *, excerpt_limit: int = EXCERPT_LIMIT) -> None:
        super().__init__(excerpt_limit=excerpt_limit)
