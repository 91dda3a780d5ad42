"""Run the application for one request, and hold it to WSGI (PEP 3333)."""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from pastebox.gateway.request import Headers, Octets, Request

_log = logging.getLogger("pastebox.gateway")

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_STATUS = re.compile(r"[1-9][0-9][0-9] [^\x00-\x1f\x7f]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OF_THE_CONNECTION = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_TOGETHER = 1 << 16
_FAILED = "500 Internal Server Error"


class GoneError(Exception):
    """Nobody receives the answer any more."""


class Sink(Protocol):
    """Where the bytes of an answer go."""

    @property
    def is_leaving(self) -> bool:
        """Whether the server is about to stop, and no other request should follow."""
        ...

    def send(self, data: Octets) -> None:
        """Send, or wait until there is room; ``GoneError`` when nobody receives it."""
        ...


class Answer:
    """The answer to one request; :meth:`run` makes it.

    Attributes:
        status: the status sent, 0 while there is none.
        size: bytes of the body sent.
        is_whole: whether all of it was sent, its end included.
        is_unwanted: whether the client went away before its end.
    """

    def __init__(self, request: Request, sink: Sink) -> None:
        self.status = 0
        self.size = 0
        self.is_whole = self.is_unwanted = False
        self._request = request
        self._sink = sink
        self._status = ""
        self._headers: Headers = []
        self._is_begun = False
        self._room = -1  # bytes that the Content-Length still promises; -1 without one
        self._has_body = True

    def run(self, app: WSGIApp, environ: dict[str, Any]) -> None:
        """Answer; whatever the application does, nothing is raised."""
        try:
            self._iterate(app(environ, self.start_response))
        except GoneError:
            self.is_unwanted = True
        except BaseException:  # noqa: BLE001  # an application's SystemExit must not end the thread
            _log.exception("exception while serving path=%s", environ.get("PATH_INFO"))
            self._fail()

    def refuse(self, status: str) -> None:
        """Answer with a status of the server's own."""
        text = f"{status}\n".encode()
        self._status = status
        self._headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
        with contextlib.suppress(GoneError):
            self._end(text)

    def _fail(self) -> None:
        """Say 500 where nothing has been said; else leave the answer without its end."""
        if not self._is_begun:
            self.refuse(_FAILED)

    def start_response(
        self, status: str, headers: Headers, exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """PEP 3333's; refuses what is not exactly as WSGI has it."""
        if exc_info:
            try:
                if self._is_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._status:
            raise RuntimeError("start_response was called twice without exc_info")
        if not _is_text(status) or not _STATUS.fullmatch(status):
            raise ValueError(f"the status is not a text such as '200 OK': {status!r}")
        _check_headers(headers)
        self._status, self._headers = status, list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        """PEP 3333's ``write``: send a part at once."""
        _check_part(data)
        self._write(data)

    # -- the body ------------------------------------------------------------------------------

    def _iterate(self, result: Iterable[bytes]) -> None:
        try:
            if isinstance(result, list | tuple):
                for part in result:
                    _check_part(part)
                self._check_started()
                self._end(result[0] if len(result) == 1 else b"".join(result))
            else:
                for part in result:
                    _check_part(part)
                    if part:
                        self._check_started()
                        self._write(part)
                self._check_started()
                self._end(b"")
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    def _check_started(self) -> None:
        if not self._status:
            raise RuntimeError("the application did not call start_response")

    def _write(self, data: bytes) -> None:
        head = b"" if self._is_begun else self._head(None)
        data = self._fitting(data)
        self._send(head, data, b"")

    def _end(self, data: bytes) -> None:
        head = b"" if self._is_begun else self._head(len(data))
        data = self._fitting(data)
        if self._room > len(data) and self._has_body:
            self._send(head, data, b"")
            raise RuntimeError(f"the answer is {self._room} bytes shorter than its Content-Length")
        if self._sink.is_leaving:
            self._request.reply.keeps_open = False
        # Before the peer knows: its next request may be here before this thread goes on.
        self._request.is_answered = True
        self._send(head, data, self._request.reply.end())
        self.is_whole = True

    def _head(self, size: int | None) -> bytes:
        """Return the head, with the length where it is known and the application left it out."""
        names = {name.lower(): value for name, value in self._headers}
        code = int(self._status[:3])
        self._has_body = (
            self._request.environ.get("REQUEST_METHOD") != "HEAD"
            and code not in (204, 304)
            and code >= 200  # noqa: PLR2004  # no body below
        )
        length = names.get("content-length")
        if length is not None:
            if not (length.isascii() and length.isdigit()):
                raise ValueError(f"the Content-Length is no number: {length!r}")
            self._room = int(length)
        elif size is not None and self._has_body:
            self._headers.append(("Content-Length", str(size)))
        head = self._request.reply.head(self._status, self._headers)
        self._is_begun = True
        self.status = code
        return head

    def _fitting(self, data: bytes) -> bytes:
        """Return what may be sent of ``data``: nothing for HEAD, no more than was promised."""
        if not self._has_body:
            return b""
        if self._room >= 0 and len(data) > self._room:
            _log.warning(
                "the answer is longer than its Content-Length path=%s",
                self._request.environ.get("PATH_INFO"),
            )
            data = data[: self._room]
        return data

    def _send(self, head: bytes, data: bytes, end: bytes) -> None:
        if self._request.is_aborted:
            raise GoneError
        self.size += len(data)
        if self._room >= 0:
            self._room -= len(data)
        kept: Octets = head
        for part in self._request.reply.parts(data) if data else ():
            kept = self._together(kept, part)
        kept = self._together(kept, end)
        if kept:
            self._sink.send(kept)

    def _together(self, first: Octets, second: Octets) -> Octets:
        """Return both where they are small, for one system call; else send the first."""
        if not first or not second:
            return first or second
        if len(first) + len(second) <= _TOGETHER:
            return b"".join((first, second))
        self._sink.send(first)
        return second


def _is_text(it: object) -> bool:
    return isinstance(it, str)


def _check_part(data: bytes) -> None:
    if not isinstance(data, bytes):
        raise TypeError(f"the body holds {type(data).__name__} where WSGI wants bytes")


def _check_headers(headers: Headers) -> None:
    if not isinstance(headers, list):
        raise TypeError("the headers are no list")
    for name, value in headers:
        if not (_is_text(name) and _is_text(value)):
            raise TypeError(f"header {name!r} is not a pair of texts")
        _check_name(name)
        if not _VALUE.fullmatch(value):
            raise ValueError(f"header {name!r} holds a character that no header may hold")


@functools.lru_cache(256)
def _check_name(name: str) -> None:
    """Refuse a name; an application has few of them, and uses them in every answer."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"header {name!r} holds a character that no header may hold")
    if name.lower() in _OF_THE_CONNECTION:
        raise ValueError(f"header {name!r} is the server's, not the application's")


def wsgi_keys(*, is_multithread: bool, is_multiprocess: bool) -> dict[str, Any]:
    """Return what every environ of this process has."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": is_multithread,
        "wsgi.multiprocess": is_multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
