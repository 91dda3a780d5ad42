"""One client of the health port: read a head, answer, perhaps again; never wait, never raise."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

from pastebox.observe.pages import Page, text_page
from pastebox.observe.request import (
    RefusedError,
    Request,
    parse_head,
    response_bytes,
    take_head,
)
from pastebox.process.loop import Callback, Loop

Reply = Callable[[Page], None]
Answer = Callable[[Request, Reply], None]

REQUEST_S = 5.0
"""From the first byte of a request to the last byte of its answer."""
IDLE_S = 15.0
"""Between two requests, and before the first."""
LINGER_S = 1.0
"""After the last answer, for the client to read it before the reset that unread bytes cause."""
BODY_LIMIT = 1 << 20

_READ = 4096
_log = logging.getLogger(__name__)


class Connection:
    """A state machine on the loop: idle, reading, answering, writing, lingering.

    Args:
        loop: where it waits.
        sock: accepted, non-blocking; closed in the end by this object.
        answer: is given a request and the function to call, once, with its page.
        on_end: is called once, after the socket is closed.
        wall: seconds since the epoch.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        answer: Answer,
        on_end: Callable[[Connection], None],
        wall: Callable[[], float],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._answer = answer
        self._on_end = on_end
        self._wall = wall
        self._in = bytearray()
        self._out = memoryview(b"")
        self._request: Request | None = None
        self._is_last = False
        self.state = "idle"
        self.since = loop.clock()
        self.deadline = self.since + IDLE_S

    def start(self) -> None:
        """Begin; most clients have sent their request already."""
        self._want(self._read, None)
        self._guard(self._read)()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost by closing it: no request has begun."""
        return self.state in ("idle", "lingering")

    def expire(self) -> None:
        """Act on the passed deadline: 408 for half a request, else the end."""
        if self.state == "reading":
            self._guard(lambda: self._refuse(408, "no whole request in time"))()
        elif self.state == "answering":
            self._guard(lambda: self._refuse(503, "no answer in time"))()
        else:
            self.close()

    def close(self) -> None:
        """End it now; twice is harmless."""
        if self.state != "closed":
            self.state = "closed"
            self._loop.forget(self._sock.fileno())
            self._sock.close()
            self._on_end(self)

    def close_in_child(self) -> None:
        """Give the descriptor back in a forked process, without touching the shared loop."""
        self._sock.close()

    def _guard(self, callback: Callback) -> Callback:
        """Keep a defect in here, or in a page, away from the master's loop."""

        def guarded() -> None:
            try:
                callback()
            except OSError:
                self.close()  # the client went away
            except Exception:  # noqa: BLE001  # a boundary: the master must go on
                _log.exception("health port connection failed")
                self.close()

        return guarded

    def _want(self, read: Callback | None, write: Callback | None) -> None:
        fd = self._sock.fileno()
        self._loop.on_readable(fd, self._guard(read) if read else None)
        self._loop.on_writable(fd, self._guard(write) if write else None)

    def _become(self, state: str, seconds: float) -> None:
        self.state = state
        self.since = self._loop.clock()
        self.deadline = self.since + seconds

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self.close()
            return
        if self.state == "idle":
            self._become("reading", REQUEST_S)
        self._in += data
        self._take()

    def _take(self) -> None:
        """Answer the request at the front of the buffer, if it is whole."""
        try:
            head = take_head(self._in)
            if head is None:
                return
            request = parse_head(head)
        except RefusedError as error:
            self._refuse(error.status, error.reason)
            return
        self._request = request
        self._is_last = not request.keep_alive
        self.state = "answering"
        self._want(None, None)
        try:
            self._answer(request, self._reply)
        except Exception:  # noqa: BLE001  # a boundary: a defect in a page is a 500
            _log.exception("health page failed path=%s", request.path)
            self._reply(text_page(500, "internal error; the traceback is in the log"))

    def _refuse(self, status: int, reason: str) -> None:
        self._request, self._is_last = None, True
        self.state = "answering"
        self._reply(text_page(status, reason))

    def _reply(self, page: Page) -> None:
        """Send the page; calls that come too late, or twice, have no effect."""
        if self.state != "answering":
            return
        self.state = "writing"
        if len(page.body) > BODY_LIMIT:
            page = text_page(500, f"the page is longer than {BODY_LIMIT} bytes")
        self._out = memoryview(
            response_bytes(
                page,
                now=self._wall(),
                head_only=self._request is not None and self._request.method == "HEAD",
                keep_alive=not self._is_last,
            )
        )
        self._guard(self._write)()

    def _write(self) -> None:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while self._out:
                self._out = self._out[self._sock.send(self._out) :]
        if self._out:
            self._want(None, self._write)
        elif self._is_last:
            self._linger()
        else:
            self._next()

    def _next(self) -> None:
        if not self._in:
            self._become("idle", IDLE_S)
            self._want(self._read, None)
            return
        # What was sent ahead has its turn after the other events of this step.
        self._become("reading", REQUEST_S)
        self._want(self._read, None)
        self._loop.call_later(0.0, self._guard(self._take_ahead))

    def _take_ahead(self) -> None:
        if self.state == "reading":
            self._take()

    def _linger(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)
        self._in.clear()
        self._become("lingering", LINGER_S)
        self._want(self._discard, None)
        self._discard()

    def _discard(self) -> None:
        try:
            is_over = not self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        if is_over:
            self.close()
