"""Counting and the access log around an application, for servers that have no hooks for it.

``Connection: close`` is no business of it: an application may not set that header (PEP 3333),
so a server that shall say it needs a hook.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pastebox.config.model import WSGIApp
from pastebox.observe.access import AccessRecord
from pastebox.process.stacks import Running
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.context import WorkerContext


class ApplicationExitedError(Exception):
    """The application raised ``SystemExit``: one request has failed, the server goes on."""


class Accounted:
    """An application whose requests are counted and logged.

    A response ends when the server calls ``close`` on it (PEP 3333 has every server do so).

    Args:
        app: the application.
        context: has the counters and the access log's format.
    """

    def __init__(self, app: WSGIApp, context: WorkerContext) -> None:
        self._app = app
        self._counters = context.counters
        self._running: dict[int, _Account] = {}  # by thread
        self.lines = AccessLines(context.access) if context.access is not None else None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Run the application for one request."""
        account = _Account(self, environ, start_response)
        self._counters.started()
        self._running[account.thread] = account
        try:
            result = self._app(environ, account.start_response)
        except BaseException as error:
            account.fail()
            account.end()
            if isinstance(error, SystemExit):
                raise ApplicationExitedError(f"SystemExit: {error.code}") from error
            raise
        if isinstance(result, (list, tuple)):
            return _Sized(result, account)
        return _Body(result, account)

    @property
    def in_flight(self) -> int:
        """How many requests are running."""
        return self._counters.in_flight

    def running(self) -> list[Running]:
        """Return the requests that run, and where."""
        return [account.running for account in self._running.copy().values()]

    def finished(self, account: _Account) -> None:
        """Count a request, and queue its line."""
        if self._running.get(account.thread) is account:
            del self._running[account.thread]
        seconds = time.monotonic() - account.began
        self._counters.finished(account.status, account.size, seconds)
        if self.lines is not None:
            self.lines.add(_record(account, seconds))


class _Account:
    """One request."""

    __slots__ = (
        "_is_over",
        "_owner",
        "_start_response",
        "_write",
        "began",
        "began_wall",
        "environ",
        "path_info",
        "script_name",
        "size",
        "status",
        "thread",
    )

    def __init__(self, owner: Accounted, environ: dict[str, Any], start_response: Any) -> None:
        self.environ = environ
        self.began = time.monotonic()
        self.thread = threading.get_ident()
        self.began_wall = time.time()
        self.status = 0
        self.size = 0
        self._owner = owner
        self._start_response = start_response
        self._is_over = False
        # Applications change both on the way down.
        self.script_name = environ.get("SCRIPT_NAME", "")
        self.path_info = environ.get("PATH_INFO", "")

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        if exc_info is None:
            self._write = self._start_response(status, headers)
        else:
            self._write = self._start_response(status, headers, exc_info)
        self.status = int(status[:3]) if status[:3].isdecimal() else 0
        return self.write

    def write(self, data: bytes) -> object:
        """Hand a part on that the application writes, and count it."""
        self.size += len(data)
        return self._write(data)

    @property
    def running(self) -> Running:
        """This request, for those who watch."""
        path = self.script_name + self.path_info
        return Running(self.thread, self.began, str(self.environ.get("REQUEST_METHOD")), path)

    def fail(self) -> None:
        """Take an exception: where no byte was sent, the server will answer 500."""
        if not self.size:
            self.status = 500

    def end(self) -> None:
        """Close the account; twice is harmless."""
        if not self._is_over:
            self._is_over = True
            self._owner.finished(self)


class _Body:
    """The response's body on its way to the server."""

    __slots__ = ("_account", "_is_closed", "_parts", "_result")

    def __init__(self, result: Iterable[bytes], account: _Account) -> None:
        self._result = result
        self._account = account
        self._parts: Iterator[bytes] | None = None
        self._is_closed = False

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        try:
            if self._parts is None:
                self._parts = iter(self._result)
            part = next(self._parts)
        except StopIteration:
            raise
        except BaseException as error:
            self._account.fail()
            self.close()  # not every server does
            if isinstance(error, SystemExit):
                raise ApplicationExitedError(f"SystemExit: {error.code}") from error
            raise
        self._account.size += len(part)
        return part

    def close(self) -> None:
        """End the request, after the application's own ``close``; twice is harmless."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close = getattr(self._result, "close", None)
            if close is not None:
                close()
        finally:
            self._account.end()


class _Sized(_Body):
    """A body whose parts can be counted, from which a server learns the length of one."""

    __slots__ = ("_length",)

    def __init__(self, result: list[bytes] | tuple[bytes, ...], account: _Account) -> None:
        super().__init__(result, account)
        self._length = len(result)

    def __len__(self) -> int:
        return self._length


def _record(account: _Account, seconds: float) -> AccessRecord:
    environ = account.environ
    query = environ.get("QUERY_STRING", "")
    path = (account.script_name + account.path_info) or "/"
    return AccessRecord(
        remote=str(environ.get("REMOTE_ADDR") or "-"),
        user=str(environ.get("REMOTE_USER") or "-"),
        time=account.began_wall,
        method=str(environ.get("REQUEST_METHOD", "-")),
        target=str(environ.get("REQUEST_URI") or (f"{path}?{query}" if query else path)),
        protocol=str(environ.get("SERVER_PROTOCOL", "-")),
        status=account.status,
        size=account.size,
        referer=str(environ.get("HTTP_REFERER", "-")),
        agent=str(environ.get("HTTP_USER_AGENT", "-")),
        seconds=seconds,
        request_id=str(environ.get("HTTP_X_REQUEST_ID", "")),
    )
