"""From granian's calls to a WSGI application: what its own bridge leaves out is here.

granian's bridge knows no ``write``, takes status and headers before the first part of a body
(which a generator has not set by then), and hands every variable of the environment to the
application. The calls run in granian's threads.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from pastebox.config.model import WSGIApp
from pastebox.observe.access import AccessRecord
from pastebox.observe.counters import Slot
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.granian_input import Input
from pastebox.runners.middleware import ApplicationExitedError


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
    """A body that granian takes part by part, and closes once."""

    def __init__(self, parts: Iterator[bytes], end: Callable[[int], None]) -> None:
        self._parts = parts
        self._end = end
        self._size = 0

    def __iter__(self) -> _Parts:
        return self

    def __next__(self) -> bytes:
        part = next(self._parts)
        self._size += len(part)
        return part

    def close(self) -> None:
        self._end(self._size)


class Calls:
    """What granian calls for each request: counted and logged here, where every microsecond shows.

    Args:
        app: the application.
        counters: where requests are counted.
        lines: the access log, or ``None`` when it is off.
        prefix: the path under which the application is mounted.
        is_multiprocess: whether other processes serve it as well.
    """

    def __init__(
        self,
        app: WSGIApp,
        counters: Slot,
        lines: AccessLines | None,
        *,
        prefix: str,
        is_multiprocess: bool,
    ) -> None:
        self.is_lame = False  # each answer closes its connection
        self.last = 0.0  # when the last request began, monotonic
        self._app = app
        self._counters = counters
        self._lines = lines
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
        began = self.last = time.monotonic()
        self._counters.started()
        environ = self._base | scope
        environ["wsgi.input"] = Input(scope["wsgi.input"])
        if self._prefix:
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(self._prefix)
        response = _Response()
        try:
            data = self._run(environ, response, protocol, scope, began)
        except BaseException as error:
            self._end(scope, 500, 0, began)
            if isinstance(error, SystemExit):
                raise ApplicationExitedError(f"SystemExit: {error.code}") from error
            raise
        if data is not None:
            protocol.response_bytes(response.status, response.headers, data)
            self._end(scope, response.status, len(data), began)
        return response.status

    def _run(
        self,
        environ: dict[str, Any],
        response: _Response,
        protocol: Any,
        scope: dict[str, Any],
        began: float,
    ) -> bytes | None:
        """Return the whole body where the application has it whole; else begin to stream it."""
        body = self._app(environ, response)
        if isinstance(body, (list, tuple)):
            data = b"".join((*response.written, *body))
            _close(body)  # a list may be of a class of its own
            if self.is_lame:
                response.close_connection()
            return data
        try:
            parts = iter(body)
            first = next(parts, b"")
        except BaseException:
            _close(body)
            raise
        if self.is_lame:
            response.close_connection()

        def end(size: int) -> None:
            try:
                _close(body)
            finally:
                self._end(scope, response.status, size, began)

        every = itertools.chain(response.written, (first,), parts)
        whole = _Parts((part for part in every if part), end)
        protocol.response_iter(response.status, response.headers, whole)
        return None

    def _end(self, scope: dict[str, Any], status: int, size: int, began: float) -> None:
        seconds = time.monotonic() - began
        self._counters.finished(status, size, seconds)
        if self._lines is not None:
            self._lines.add(_record(scope, status, size, seconds))


def _record(scope: dict[str, Any], status: int, size: int, seconds: float) -> AccessRecord:
    query = scope.get("QUERY_STRING", "")
    path = scope.get("PATH_INFO", "/")
    return AccessRecord(
        remote=str(scope.get("REMOTE_ADDR") or "-"),
        user="-",
        time=time.time() - seconds,
        method=scope.get("REQUEST_METHOD", "-"),
        target=f"{path}?{query}" if query else path,
        protocol=scope.get("SERVER_PROTOCOL", "-"),
        status=status,
        size=size,
        referer=scope.get("HTTP_REFERER", "-"),
        agent=scope.get("HTTP_USER_AGENT", "-"),
        seconds=seconds,
        request_id=scope.get("HTTP_X_REQUEST_ID", ""),
    )


def _close(body: Any) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()
