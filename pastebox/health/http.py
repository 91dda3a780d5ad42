"""HTTP/1.1 for a client that wants a status and a little of the body: bytes in, bytes out.

Kept free of imports: ``pastebox health`` runs every few seconds, and typing alone costs 6 ms.
"""

from __future__ import annotations

HEAD_LIMIT = 16384
EXCERPT_LIMIT = 65536
_CHUNK_LINE_LIMIT = 1024


class ProtocolError(Exception):
    """The bytes are not what the protocol has, or a bound is passed; the text is one sentence."""


class BusyError(ProtocolError):
    """The other side understood, and says itself that it has no room now."""


class Response:
    """The end of an exchange.

    Attributes:
        status: the final status code; 1xx responses before it are passed over.
        reason: the reason phrase.
        headers: names in lower case; of several the last.
        body: the first bytes of the body.
        is_truncated: whether more of it was left unread.
    """

    __slots__ = ("body", "headers", "is_truncated", "reason", "status")

    def __init__(
        self, status: int, reason: str, headers: dict[str, str], body: bytes, *, is_truncated: bool
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body
        self.is_truncated = is_truncated


def request_bytes(path: str, host: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a whole GET request that asks for the connection to be closed.

    Raises:
        ValueError: the path does not begin with a slash, or something holds a character that
            could end its line.
    """
    check_request(path, host, headers)
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: pastebox-health",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def check_request(path: str, host: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
    """Refuse what could not be sent, or would say something else.

    Raises:
        ValueError: the path does not begin with a slash, or something holds a character that
            could end its line.
    """
    if not path.startswith("/"):
        raise ValueError(f'path "{path}": expected one that begins with /')
    for text in (path, host, *(f"{name}: {value}" for name, value in headers)):
        if not text.isascii() or not text.isprintable():
            raise ValueError(f"{text!r}: expected printable ASCII characters")
    if " " in path:
        raise ValueError(f'path "{path}": expected no space')


class ResponseParser:
    """Is fed with what arrives, and returns the response once enough of it is there."""

    def __init__(self, *, excerpt_limit: int = EXCERPT_LIMIT) -> None:
        self._limit = excerpt_limit
        self._buffer = b""
        self._head: tuple[int, str, dict[str, str]] | None = None
        self._left: int | None = None  # bytes of a body, or of a chunk; None: until the end
        self._is_chunked = False
        self._body = bytearray()

    @property
    def has_begun(self) -> bool:
        """Whether a final status has been read."""
        return self._head is not None

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes, or ``b""`` for the end of the stream.

        Raises:
            ProtocolError: this is not HTTP, is too long, or ended too early.
        """
        self._buffer += data
        while self._head is None:
            if not self._take_head():
                if data:
                    return None
                raise ProtocolError(
                    "closed in the middle of its head"
                    if self._buffer
                    else "closed without an answer"
                )
        is_whole = self._take_chunks() if self._is_chunked else self._take_plain(is_end=not data)
        if is_whole or len(self._body) >= self._limit:
            return self._response(is_truncated=not is_whole)
        if not data:
            raise ProtocolError("closed in the middle of its body")
        return None

    def _response(self, *, is_truncated: bool) -> Response:
        status, reason, headers = self._head or (0, "", {})
        body = bytes(self._body[: self._limit])
        return Response(
            status,
            reason,
            headers,
            body,
            is_truncated=is_truncated or len(self._body) > self._limit,
        )

    def _take_head(self) -> bool:
        """Read one head from the buffer; say whether there was a whole one."""
        end, skip = self._buffer.find(b"\r\n\r\n"), 4
        bare = self._buffer.find(b"\n\n", 0, end if end >= 0 else len(self._buffer))
        if bare >= 0:
            end, skip = bare, 2
        if (end if end >= 0 else len(self._buffer)) > HEAD_LIMIT:
            raise ProtocolError(f"its head is longer than {HEAD_LIMIT} bytes")
        if end < 0:
            if not b"HTTP/".startswith(self._buffer[:5]):
                raise ProtocolError("the answer is not HTTP")
            return False
        head, self._buffer = self._buffer[:end], self._buffer[end + skip :]
        self._begin(head.decode("latin-1").replace("\r\n", "\n").split("\n"))
        return True

    def _begin(self, lines: list[str]) -> None:
        version, _, rest = lines[0].partition(" ")
        number, _, reason = rest.partition(" ")
        is_http = version in ("HTTP/1.1", "HTTP/1.0")
        if not is_http or len(number) != 3 or not (number.isascii() and number.isdigit()):  # noqa: PLR2004  # digits of a status
            raise ProtocolError("the answer is not HTTP")
        status = int(number)
        if 100 <= status < 200:  # noqa: PLR2004  # an interim response; the final one follows
            return
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        self._head = (status, reason, headers)
        if status in (204, 304):
            self._left = 0
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._is_chunked, self._left = True, 0
        elif "content-length" in headers:
            self._left = _length(headers["content-length"], 10)

    def _take_plain(self, *, is_end: bool) -> bool:
        """Move body bytes out of the buffer; say whether that was the whole body."""
        take = len(self._buffer) if self._left is None else min(self._left, len(self._buffer))
        self._keep(take)
        if self._left is None:
            return is_end
        self._left -= take
        return self._left == 0

    def _take_chunks(self) -> bool:
        """Move chunks out of the buffer; say whether the last one was among them."""
        while len(self._body) < self._limit:
            if self._left:
                take = min(self._left, len(self._buffer))
                self._keep(take)
                self._left -= take
                if self._left:
                    return False
                continue
            line, mark, rest = self._buffer.partition(b"\n")
            if not mark:
                if len(line) > _CHUNK_LINE_LIMIT:
                    raise ProtocolError("a chunk's size is too long")
                return False
            self._buffer = rest
            if line.strip():  # else the line end that follows a chunk
                self._left = _length(line.partition(b";")[0].decode("latin-1").strip(), 16)
                if self._left == 0:
                    return True
        return False

    def _keep(self, count: int) -> None:
        room = max(0, self._limit + 1 - len(self._body))
        self._body += self._buffer[: min(count, room)]
        self._buffer = self._buffer[count:]


def _length(text: str, base: int) -> int:
    if not text.isascii() or not text.isalnum() or len(text) > 16:  # noqa: PLR2004  # digits of 2**63
        raise ProtocolError("a length is not a number")
    try:
        return int(text, base)
    except ValueError:
        raise ProtocolError("a length is not a number") from None
