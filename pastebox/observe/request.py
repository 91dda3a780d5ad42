"""Read the head of an HTTP/1.x request, and write an answer: bytes in, bytes out."""

import re
from typing import NamedTuple

from pastebox.observe.moment import http_date
from pastebox.observe.pages import HTML, Page

HEAD_LIMIT = 8192

_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/([0-9])\.([0-9])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00\r\n]*)")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class Request(NamedTuple):
    """What the pages need of a request.

    ``keep_alive`` is false also when a body follows: none is read.
    """

    method: str
    path: str
    query: str
    accept: str
    keep_alive: bool


class RefusedError(Exception):
    """The bytes are not a request that is served here."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def take_head(buffer: bytearray) -> bytes | None:
    """Remove one head from the front of the buffer; ``None`` while it is not complete.

    Raises:
        RefusedError: it is longer than :data:`HEAD_LIMIT`.
    """
    while buffer.startswith((b"\r", b"\n")):  # RFC 9112, 2.2: empty lines before a request
        del buffer[:1]
    end = _HEAD_END.search(buffer)
    if (end.start() if end else len(buffer)) > HEAD_LIMIT:
        raise RefusedError(431, f"the head is longer than {HEAD_LIMIT} bytes")
    if end is None:
        return None
    head = bytes(buffer[: end.start()])
    del buffer[: end.end()]
    return head


def parse_head(head: bytes) -> Request:
    """Return the request.

    Raises:
        RefusedError: it is malformed, or its method or version is not served.
    """
    first, *lines = head.replace(b"\r\n", b"\n").split(b"\n")
    match = _REQUEST_LINE.fullmatch(first)
    if match is None:
        raise RefusedError(400, "not an HTTP request")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise RefusedError(505, "HTTP/1.0 and HTTP/1.1 are served")
    headers = _parse_headers(lines)
    is_11 = minor != b"0"
    if is_11 and "host" not in headers:
        raise RefusedError(400, "no Host header")
    if method not in (b"GET", b"HEAD"):
        raise RefusedError(405, "GET and HEAD are served")
    path, query = _split_target(target.decode("ascii"))
    options = headers.get("connection", "").lower()
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    wants_more = "close" not in options if is_11 else "keep-alive" in options
    return Request(
        method.decode("ascii"),
        path,
        query,
        headers.get("accept", ""),
        wants_more and not has_body,
    )


def _parse_headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise RefusedError(400, "a malformed header")
        name, value = (part.strip(b" \t").decode("latin-1") for part in match.groups())
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _split_target(target: str) -> tuple[str, str]:
    scheme, mark, rest = target.partition("://")
    if mark and "/" not in scheme:  # the absolute form, as a proxy sends it
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("#")[0].partition("?")
    return path, query


def response_bytes(page: Page, *, now: float, head_only: bool = False, keep_alive: bool) -> bytes:
    """Return a whole response, with its length always and nothing for a cache to keep."""
    lines = [
        f"HTTP/1.1 {page.status} {_REASONS.get(page.status, 'Unknown')}",
        f"Date: {http_date(int(now))}",
        f"Content-Type: {page.content_type}",
        f"Content-Length: {len(page.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"Connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    if page.content_type == HTML:
        lines.append("Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'")
    if page.status == 405:  # noqa: PLR2004  # the one status that must say so
        lines.append("Allow: GET, HEAD")
    head = "\r\n".join(lines) + "\r\n\r\n"
    return head.encode("ascii") + (b"" if head_only else page.body)
