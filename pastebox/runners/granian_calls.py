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
from threading import Lock, get_ident
from time import monotonic
from typing import Any

from pastebox.config.model import WSGIApp
from pastebox.observe.access import AccessRecord
from pastebox.observe.counters import Slot
from pastebox.process.stacks import Running
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.granian_input import Input
from pastebox.runners.middleware import ApplicationExitedError


class _Response:
    """One request that runs, and its ``start_response``; filled where a call costs less."""

    __slots__ = ("began", "headers", "scope", "status", "thread", "written")

    began: float
    headers: list[tuple[str, str]]
    scope: dict[str, Any]
    status: int
    thread: int
    written: list[bytes] | None

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if self.status and exc_info is None:
            raise AssertionError("start_response was called twice")
        self.status = int(status[:3])
        self.headers = list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        """Keep what comes before the body that the application returns."""
        if self.written is None:
            self.written = []
        self.written.append(data)

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
        self._running: set[_Response] = set()
        # Of those that have ended: lists of numbers, which the garbage collector does not count.
        self._statuses: list[int] = []
        self._sizes: list[int] = []
        self._durations: list[float] = []
        self._lock = Lock()  # of those who catch up
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

    @property
    def in_flight(self) -> int:
        """How many requests run."""
        return len(self._running)

    def running(self) -> list[Running]:
        """Return the requests that run, and where."""
        return [
            Running(one.thread, one.began, one.scope["REQUEST_METHOD"], one.scope["PATH_INFO"])
            for one in self._running.copy()
        ]

    def catch_up(self) -> None:
        """Count and log what has finished since the last time; a few times a second.

        Requests do no more than they must: the longer one holds the interpreter, the more
        often granian's threads meet in front of it, which costs more than the counting.
        """
        with self._lock:
            taken = [_take(one) for one in (self._statuses, self._sizes, self._durations)]
            self._counters.catch_up(*taken, in_flight=len(self._running))
        if self._lines is not None:
            self._lines.write()

    def answer(self, protocol: Any, scope: dict[str, Any]) -> int:
        """Answer one request; return the status."""
        response = _Response()
        response.scope = scope
        response.status = 0
        response.written = None
        response.thread = get_ident()
        response.began = self.last = monotonic()
        self._running.add(response)
        environ = self._base | scope
        environ["wsgi.input"] = Input(scope["wsgi.input"])
        if self._prefix:
            environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(self._prefix)
        try:
            body = self._app(environ, response)
            if type(body) is list and response.written is None:
                data: bytes | None = b"".join(body)
            else:
                data = self._read(body, response, protocol)
            if data is not None:
                if self.is_lame:
                    response.close_connection()
                protocol.response_bytes(response.status, response.headers, data)
        except BaseException as error:
            response.status = 500
            self._end(response, 0)
            if isinstance(error, SystemExit):
                raise ApplicationExitedError(f"SystemExit: {error.code}") from error
            raise
        if data is not None:
            self._end(response, len(data))
        return response.status

    def _read(self, body: Any, response: _Response, protocol: Any) -> bytes | None:
        """Return the whole body where the application has it whole; else begin to stream it."""
        if isinstance(body, (list, tuple)):
            data = b"".join((*(response.written or ()), *body))
            _close(body)  # a list may be of a class of its own
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
                self._end(response, size)

        every = itertools.chain(response.written or (), (first,), parts)
        whole = _Parts((part for part in every if part), end)
        protocol.response_iter(response.status, response.headers, whole)
        return None

    def _end(self, response: _Response, size: int) -> None:
        self._running.discard(response)
        seconds = monotonic() - response.began
        self._statuses.append(response.status)
        self._sizes.append(size)
        self._durations.append(seconds)
        if self._lines is not None:
            self._lines.add(_record(response.scope, response.status, size, seconds))


def _take(numbers: list[Any]) -> list[Any]:
    """Return what is in a list, and take it out, while others add to it."""
    taken = numbers[:]
    del numbers[: len(taken)]
    return taken


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
