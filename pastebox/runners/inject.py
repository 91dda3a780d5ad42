"""Put a piece of HTML at the top of a page, and leave everything that is no page as it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pastebox.config.model import WSGIApp

_BODY = re.compile(rb"<body\b[^>]*>", re.IGNORECASE)
_FAR = 1 << 16
"""Where no body has begun by then, the piece goes to the end."""
_WITHOUT_BODY = ("1", "204", "304")
_CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_RANGE", "HTTP_RANGE")


def inject(
    app: WSGIApp, environ: dict[str, Any], start_response: Any, piece: bytes, *, is_passing: bool
) -> Iterable[bytes]:
    """Answer with the application's own response, and the piece in it if it is HTML.

    ``is_passing`` says that the piece is there for this moment: the page must not be kept, and
    a browser's kept one must not be used.
    """
    if is_passing:
        for name in _CONDITIONS:
            environ.pop(name, None)
    response = _Response(start_response, piece, environ["REQUEST_METHOD"], is_passing=is_passing)
    result = app(environ, response.start)
    if response.is_started and not response.is_page:
        return result
    return _Body(result, response)


class _Response:
    """One response on its way."""

    def __init__(self, start_response: Any, piece: bytes, method: str, *, is_passing: bool) -> None:
        self.is_started = False
        self.is_page = False
        self._start_response = start_response
        self._piece = piece
        self._has_body = method != "HEAD"
        self._is_passing = is_passing
        self._waiting = b""
        self._is_done = False

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Take the application's ``start_response``."""
        self.is_started = True
        self.is_page = _is_page(status, headers)
        if self.is_page:
            headers = self._changed(headers)
        more = () if exc_info is None else (exc_info,)
        write = self._start_response(status, headers, *more)
        return lambda data: write(self.feed(data))

    def _changed(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        changed = []
        for name, value in headers:
            lower = name.lower()
            if lower == "content-length" and value.strip().isdecimal():
                changed.append((name, str(int(value) + len(self._piece))))
            elif lower == "etag" or (
                self._is_passing and lower in ("cache-control", "last-modified", "expires")
            ):
                continue
            else:
                changed.append((name, value))
        if self._is_passing:
            changed.append(("Cache-Control", "no-store"))
        return changed

    def feed(self, data: bytes) -> bytes:
        """Return what can be sent after this part of the application's body."""
        if not self.is_page or self._is_done or not self._has_body:
            return data
        self._waiting += data
        found = _BODY.search(self._waiting)
        if found is None and len(self._waiting) < _FAR:
            return b""
        data, self._waiting = self._waiting, b""
        if found is None:
            return data
        self._is_done = True
        return data[: found.end()] + self._piece + data[found.end() :]

    def rest(self) -> bytes:
        """Return what is left at the end of the body."""
        if not self.is_page or self._is_done or not self._has_body:
            return b""
        self._is_done = True
        return self._waiting + self._piece


class _Body:
    """The body with the piece in it."""

    def __init__(self, result: Iterable[bytes], response: _Response) -> None:
        self._result = result
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        for data in self._result:
            yield self._response.feed(data)
        yield self._response.rest()

    def close(self) -> None:
        """Have the application close its own."""
        close = getattr(self._result, "close", None)
        if close is not None:
            close()


def _is_page(status: str, headers: list[tuple[str, str]]) -> bool:
    if status.startswith(_WITHOUT_BODY):
        return False
    named = {name.lower(): value.lower() for name, value in headers}
    return (
        named.get("content-type", "").partition(";")[0].strip()
        in ("text/html", "application/xhtml+xml")
        and named.get("content-encoding", "identity") == "identity"
        and "content-range" not in named
        and not named.get("content-disposition", "").startswith("attachment")
    )
