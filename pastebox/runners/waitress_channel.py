"""One connection of the waitress runner: its requests, their account, and its way out.

The protocol is waitress's (parser, tasks, buffers). What differs: the thread that ran the
application also sends the response, so that the I/O thread is woken only when there is something
left for it to do; every request is counted and logged; and a response can say
``Connection: close`` because the server is about to stop.
"""

from __future__ import annotations

import logging
import socket
import time
import traceback
from threading import get_ident
from typing import TYPE_CHECKING, Any

from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import InternalServerError

from pastebox.observe.access import AccessRecord
from pastebox.process.stacks import Running
from pastebox.runners.waitress_parser import Parser

if TYPE_CHECKING:
    from pastebox.runners.waitress_loop import WaitressLoop


class Task(WSGITask):  # type: ignore[misc]  # waitress ships no types
    """A request in a thread; it ends the connection when the server is about to stop."""

    def build_response_header(self) -> bytes:
        """Build the header, with ``Connection: close`` once the loop is lame."""
        if self.channel.loop.lame:
            self.request.headers["CONNECTION"] = "close"
        header: bytes = super().build_response_header()
        return header

    def write(self, data: bytes) -> None:
        """Send a part of the body; an answer to HEAD has none, whatever the application gives."""
        if self.request.command != "HEAD":
            super().write(data)
            return
        super().write(b"")
        self.content_bytes_written += len(data)

    def finish(self) -> None:
        """End the body; there is nothing to end after HEAD."""
        if not self.wrote_header:
            self.write(b"")
        if self.request.command == "HEAD":
            self.chunked_response = False
        super().finish()

    def get_environment(self) -> dict[str, Any]:
        """Return waitress's environ, true about the number of processes."""
        environ: dict[str, Any] = super().get_environment()
        environ["wsgi.multiprocess"] = self.channel.loop.is_multiprocess
        return environ


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection; methods above ``service`` run in the I/O thread, the rest in a task thread."""

    parser_class = Parser
    task_class = Task
    error_task_class = ErrorTask
    loop: WaitressLoop
    requests: list[Any]
    current_outbuf_count: int

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: Any) -> None:  # noqa: A002  # waitress's own name
        self.loop = server.loop
        self.is_armed = True  # the poller reports its input
        self.wants_output = False  # the poller reports room for output
        self.is_registered = False  # the poller knows it
        self.written = 0  # bytes of all responses so far
        self.lingers_until = 0.0  # monotonic; 0 when it does not linger
        self.serving_since = 0.0  # monotonic; 0 when no thread works on it
        self.thread = 0  # that worked on it last
        super().__init__(server, sock, addr, adj, map=map)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is received, worked on or waiting to be sent."""
        return not (self.requests or self.request is not None or self.total_outbufs_len)

    @property
    def running(self) -> Running | None:
        """The request that a thread works on."""
        since, requests = self.serving_since, self.requests
        if not since or not requests:
            return None
        request = requests[0]
        method, path = getattr(request, "command", "-"), getattr(request, "path", "-")
        return Running(self.thread, since, method, path)

    def handle_close(self) -> None:
        """Close, or linger first while a drain must not lose the tail of a response."""
        if not (self.will_close and self.loop.linger(self)):
            self.close_now()

    def close_now(self) -> None:
        """Close without lingering."""
        self.lingers_until = 0.0
        super().handle_close()

    def write_soon(self, data: Any) -> int:
        """Queue (and mostly send) a part of the response, counting its bytes."""
        count: int = super().write_soon(data)
        self.written += count
        return count

    def _flush_some(self, do_close: bool = True) -> bool:  # noqa: FBT001, FBT002  # waitress's signature
        """Send what fits, one thread at a time.

        waitress's I/O thread takes no lock when no request is left, but the thread that served
        the last one may be sending ``100 Continue`` for the next.
        """
        with self.outbuf_lock:
            is_sent: bool = super()._flush_some(do_close)
        return is_sent

    def service(self) -> None:
        """Run one request, send what it wrote, and account for it."""
        request = self.requests[0]
        loop = self.loop
        before = self.written
        self.thread = get_ident()
        began, self.serving_since = time.time(), time.monotonic()
        loop.in_service.add(self)
        loop.counters.started()
        task = self._run(request)
        with self.outbuf_lock:
            self._flush_exception(
                self._flush_some if self.total_outbufs_len else None, do_close=False
            )
        seconds = time.monotonic() - self.serving_since
        self.serving_since = 0.0
        loop.counters.finished(int(task.status[:3]), self.written - before, seconds)
        if loop.lines is not None:
            loop.log(_record(self, task, request, began, seconds))
        self.last_activity = time.time()
        loop.in_service.discard(self)
        self._after(task, request)

    def _run(self, request: Any) -> Any:
        task = (self.error_task_class if request.error else self.task_class)(self, request)
        try:
            if self.connected:
                task.service()
            else:
                task.close_on_finish = True
        except ClientDisconnected:
            path = getattr(request, "path", "")  # there is none where the head was refused
            self.loop.complaints.say(logging.INFO, "client disconnected path=%s", path)
            task.close_on_finish = True
        except BaseException:  # an application's SystemExit must not end the thread
            self.logger.exception("exception while serving path=%s", getattr(request, "path", ""))
            task = self._error_task(task, request)
        return task

    def _error_task(self, task: Any, request: Any) -> Any:
        if task.wrote_header:
            task.close_on_finish = True
            return task
        body = "The server encountered an unexpected internal server error"
        if self.adj.expose_tracebacks:
            body = traceback.format_exc()
        failed = self.parser_class(self.adj)
        failed.error = InternalServerError(body)
        failed.version = request.version
        failed.headers["CONNECTION"] = request.headers.get("CONNECTION", "")
        answer = self.error_task_class(self, failed)
        try:
            answer.service()
        except ClientDisconnected:
            answer.close_on_finish = True
        return answer

    def _after(self, task: Any, request: Any) -> None:
        """Close, or go on to the next request; wake the I/O thread only if it has to act."""
        if task.close_on_finish:
            with self.requests_lock:
                self.close_when_flushed = True
                for waiting in self.requests:
                    waiting.close()
                self.requests = []
            self.loop.wake(self)
            return
        if len(self.requests) > 1:
            self._flush_outbufs_below_high_watermark()
        if self.current_outbuf_count > 0:
            # a response never shares its buffer with the next one, so each is given back
            self.current_outbuf_count = self.adj.outbuf_high_watermark
        request.close()
        with self.requests_lock:
            self.requests.pop(0)
            if self.connected and self.requests:
                self.server.add_task(self)
            elif self._waits_for_continue():
                self.send_continue()
        if self.total_outbufs_len or not self.is_armed or self.will_close or self.loop.lame:
            self.loop.wake(self)

    def _waits_for_continue(self) -> bool:
        return (
            self.connected
            and self.request is not None
            and self.request.expect_continue
            and self.request.headers_finished
            and not self.sent_continue
        )


def _record(
    channel: Channel, task: Any, request: Any, began: float, seconds: float
) -> AccessRecord:
    """Describe what was asked and answered; the task of an error has a request of its own."""
    headers = request.headers
    environ = getattr(task, "environ", None) or {}
    return AccessRecord(
        remote=str(environ.get("REMOTE_ADDR", channel.addr[0])),
        user=str(environ.get("REMOTE_USER", "-")),
        time=began,
        method=str(getattr(request, "command", "-")),
        target=str(getattr(request, "request_uri", "-")),
        protocol=f"HTTP/{task.version}",
        status=int(task.status[:3]),
        size=task.content_bytes_written,
        referer=headers.get("REFERER", "-"),
        agent=headers.get("USER_AGENT", "-"),
        seconds=seconds,
        request_id=headers.get("X_REQUEST_ID", ""),
    )
