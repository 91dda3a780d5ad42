"""From granian's calls to a WSGI application: what its own bridge leaves out is here.

granian's bridge knows no ``write``, takes status and headers before the first part of a body
(which a generator has not set by then), and hands every variable of the environment to the
application. The calls run in granian's threads.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from pastebox.config.model import WSGIApp


class _Response:
    """The ``start_response`` of one request."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if self.status and exc_info is None:
            raise AssertionError("start_response was called twice")
        self.status = int(status[:3])
        self.headers = list(headers)
        return self.written.append

    def close_connection(self) -> None:
        """Have granian end the connection with this answer."""
        self.headers = [pair for pair in self.headers if pair[0].lower() != "connection"]
        self.headers.append(("Connection", "close"))


class _Parts:
    """A body that granian takes part by part."""

    def __init__(self, parts: Iterator[bytes], close: Any) -> None:
        self._parts = parts
        self.close = close

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> bytes:
        return next(self._parts)


class Calls:
    """What granian calls for each request.

    Args:
        app: the application, counted and logged.
        prefix: the path under which it is mounted.
        is_multiprocess: whether other processes serve it as well.
    """

    def __init__(self, app: WSGIApp, *, prefix: str, is_multiprocess: bool) -> None:
        self.is_lame = False  # each answer closes its connection
        self.last = 0.0  # when the last request began, monotonic
        self._app = app
        self._prefix = prefix
        self._base: dict[str, Any] = {
            "SCRIPT_NAME": prefix,
            "SERVER_SOFTWARE": "granian",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": is_multiprocess,
            "wsgi.run_once": False,
        }

    def __call__(self, protocol: Any, scope: dict[str, Any]) -> int:
        """Answer one request; return the status."""
        self.last = time.monotonic()
        environ = self._base | scope
        if self._prefix:
            environ["SCRIPT_NAME"] = self._prefix
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(self._prefix)
        response = _Response()
        body = self._app(environ, response)
        if hasattr(body, "__len__"):
            data = b"".join(response.written) + _joined(body)
            if self.is_lame:
                response.close_connection()
            protocol.response_bytes(response.status, response.headers, data)
            return response.status
        try:
            first = next(iter(body), b"")
        except BaseException:
            _close(body)
            raise
        if self.is_lame:
            response.close_connection()
        parts = itertools.chain(response.written, (first,), body)
        whole = _Parts((part for part in parts if part), lambda: _close(body))
        protocol.response_iter(response.status, response.headers, whole)
        return response.status


def _joined(body: Iterable[bytes]) -> bytes:
    try:
        return b"".join(body)
    finally:
        _close(body)


def _close(body: Any) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
