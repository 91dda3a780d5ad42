"""What FastCGI and SCGI take from CGI (RFC 3875): the request's variables, the response's head."""

from __future__ import annotations

from pastebox.health.http import EXCERPT_LIMIT, HEAD_LIMIT, ProtocolError, Response, check_request

_REDIRECT = 302
_OK = 200
_STATUS_DIGITS = 3


def variables(
    path: str, host: str, headers: tuple[tuple[str, str], ...] = ()
) -> list[tuple[str, str]]:
    """Return the variables of a GET request as a front end would set them.

    Raises:
        ValueError: the path or a header cannot be written in a request.
    """
    check_request(path, host, headers)
    script, _, query = path.partition("?")
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, "80"
    return [
        ("CONTENT_LENGTH", "0"),
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", ""),
        ("PATH_INFO", _unquoted(script)),
        ("QUERY_STRING", query),
        ("REQUEST_URI", path),
        ("SERVER_NAME", name),
        ("SERVER_PORT", port),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("HTTP_HOST", host),
        ("HTTP_USER_AGENT", "pastebox-health"),
        *((f"HTTP_{header.upper().replace('-', '_')}", value) for header, value in headers),
    ]


def _unquoted(path: str) -> str:
    """Decode percent signs to latin-1 characters; urllib would cost its import."""
    head, *parts = path.split("%")
    found = [head]
    for part in parts:
        try:
            number = int(part[:2], 16) if part[:2].isalnum() and len(part) > 1 else -1
        except ValueError:
            number = -1
        found.append(f"%{part}" if number < 0 else chr(number) + part[2:])
    return "".join(found)


def response_head(status: str, headers: list[tuple[str, str]]) -> bytes:
    """Return the head of a response, with the empty line.

    Args:
        status: as WSGI has it, ``200 OK``.
        headers: names and values without line ends; the caller has checked them.
    """
    lines = [f"Status: {status}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class HeadParser:
    """Reads a CGI response: a head, and a body until its length or the end of the stream."""

    __slots__ = ("_body", "_buffer", "_head", "_left", "_limit", "_scanned")

    def __init__(self, *, excerpt_limit: int = EXCERPT_LIMIT) -> None:
        self._limit = excerpt_limit
        self._buffer = bytearray()
        self._scanned = 0
        self._head: tuple[int, str, dict[str, str]] | None = None
        self._body = bytearray()
        self._left: int | None = None

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes, or ``b""`` for the end; return the response when it is there.

        Raises:
            ProtocolError: this is no CGI response, is too long, or ended too early.
        """
        if self._head is None:
            self._buffer += data
            if not self._take_head():
                if data:
                    return None
                raise ProtocolError(
                    "ended in the middle of its head" if self._buffer else "ended without an answer"
                )
            data_left = bytes(self._buffer)
            self._buffer.clear()
            return self._take_body(data_left, is_end=not data)
        return self._take_body(data, is_end=not data)

    def _take_body(self, data: bytes, *, is_end: bool) -> Response | None:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        room = self._limit - len(self._body)
        self._body += data[:room]
        is_truncated = len(data) > room
        if not is_truncated and self._left != 0 and not is_end:
            return None
        if is_end and self._left:
            raise ProtocolError("ended in the middle of its body")
        status, reason, headers = self._head or (0, "", {})
        return Response(status, reason, headers, bytes(self._body), is_truncated=is_truncated)

    def _take_head(self) -> bool:
        start = max(0, self._scanned - 3)
        end, skip = self._buffer.find(b"\r\n\r\n", start), 4
        bare = self._buffer.find(b"\n\n", start, end if end >= 0 else len(self._buffer))
        if bare >= 0:
            end, skip = bare, 2
        self._scanned = len(self._buffer)
        if (end if end >= 0 else len(self._buffer)) > HEAD_LIMIT:
            raise ProtocolError(f"its head is longer than {HEAD_LIMIT} bytes")
        if end < 0:
            return False
        head = self._buffer[:end].decode("latin-1").replace("\r\n", "\n")
        del self._buffer[: end + skip]
        self._begin(head.split("\n"))
        return True

    def _begin(self, lines: list[str]) -> None:
        if lines[0].startswith("HTTP/"):  # some applications write a whole status line
            lines[0] = f"Status:{lines[0].partition(' ')[2]}"
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                raise ProtocolError("a line of its head is not a header")
            headers[name.strip().lower()] = value.strip()
        default = _REDIRECT if "location" in headers else _OK
        number, _, reason = headers.get("status", f"{default} ").partition(" ")
        if len(number) != _STATUS_DIGITS or not (number.isascii() and number.isdigit()):
            raise ProtocolError("its status is not a number")
        self._head = (int(number), reason.strip(), headers)
        length = headers.get("content-length", "")
        if int(number) in (204, 304):
            self._left = 0
        elif length:
            if not (length.isascii() and length.isdigit()) or len(length) > 19:  # noqa: PLR2004  # digits of 2**63
                raise ProtocolError("a length is not a number")
            self._left = int(length)
