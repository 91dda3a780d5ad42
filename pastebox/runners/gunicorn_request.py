"""What happens to one connection of a gunicorn worker: its head, its application, its end."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pastebox.config.model import WSGIApp
from pastebox.process.last_bytes import unacknowledged
from pastebox.runners.middleware import ApplicationExitedError

if TYPE_CHECKING:
    from pastebox.runners.gunicorn_guided import Guided

_HEAD_MOST = 1 << 16
"""A head that is longer gets a thread, and gunicorn's own limits."""
_ACKNOWLEDGED_S = 0.25
"""How long a connection whose bytes are all acknowledged waits for the peer to close it."""
_TICK_MS = 50


def is_head_there(conn: Any, config: Any) -> bool:
    """Whether a readable connection has a whole head, or will never have one.

    While it has not, its socket is not readable again before there is more than now.
    """
    if config.is_ssl or conn.is_http2 or conn.sock.family == socket.AF_UNIX:
        return True  # unreadable here; a handshake of its own; a front end, which sends it at once
    try:
        data = conn.sock.recv(_HEAD_MOST, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return True
    before = getattr(conn, "peeked", 0)
    # as much as before, and yet readable: the peer has shut down
    is_over = b"\r\n\r\n" in data or len(data) in (before, _HEAD_MOST)
    conn.peeked = 0 if is_over else len(data)
    if before or not is_over:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, conn.peeked + 1)
    return is_over


class Contained:
    """An application whose ``SystemExit`` is the failure of one request."""

    def __init__(self, app: WSGIApp, worker: Guided) -> None:
        self._app = app
        self._worker = worker

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Run it."""
        try:
            result = self._app(environ, start_response)
        except SystemExit as error:
            raise self.failure(error) from error
        if isinstance(result, (list, tuple, environ["wsgi.file_wrapper"])):
            return result
        return _Body(result, self)

    def failure(self, error: SystemExit) -> BaseException:
        """Return what is to be raised instead; gunicorn's own end stays what it is."""
        if self._worker.is_aborted:
            return error
        return ApplicationExitedError(f"SystemExit: {error.code}")


class _Body:
    """What the application returned, part by part."""

    def __init__(self, result: Any, owner: Contained) -> None:
        self._result = result
        self._owner = owner
        self._parts: Iterator[bytes] | None = None

    def __iter__(self) -> _Body:
        return self

    def __next__(self) -> bytes:
        try:
            if self._parts is None:
                self._parts = iter(self._result)
            return next(self._parts)
        except SystemExit as error:
            raise self._owner.failure(error) from error

    def close(self) -> None:
        """Let the application know that the response is over."""
        close = getattr(self._result, "close", None)
        if close is not None:
            close()


def see_off(connection: socket.socket, deadline: float) -> None:
    """Shut down for writing and wait until the peer has it all, and mostly has closed.

    Blocks its thread, until ``deadline`` (monotonic) at the latest.
    """
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(False)
    except OSError:  # it has gone by itself
        return
    acknowledged_by = time.monotonic() + _ACKNOWLEDGED_S
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    while (now := time.monotonic()) < deadline:
        if now > acknowledged_by and not unacknowledged(connection):
            return
        if not poller.poll(_TICK_MS):
            continue
        try:
            if not connection.recv(65536):
                return
        except BlockingIOError:
            continue
        except OSError:  # broken, or a TLS layer that wants something else first
            return


def end_input(connection: socket.socket) -> None:
    """Have whoever reads from a connection see its end."""
    try:
        connection.shutdown(socket.SHUT_RD)
    except OSError:  # it has gone by itself
        return
