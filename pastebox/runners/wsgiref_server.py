"""The standard library's HTTP on our loop: its parser and handler, our threads and end.

What differs from ``make_server``: requests run in threads, bodies in chunks are read, no body
follows HEAD, the process's environment stays out of the request's, and a response that fails
half-way is reset, since its end could not be told from a good one.
"""

from __future__ import annotations

import io
import logging
import socket
import struct
import sys
from collections.abc import Sequence
from http.client import HTTPMessage
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler

from pastebox.config.model import WSGIApp
from pastebox.gateway.sparing import Sparing
from pastebox.runners.body import BadBodyError, Chunked, KnownLength
from pastebox.runners.connections import Address, describe_address, server_address
from pastebox.runners.context import WorkerContext
from pastebox.runners.middleware import Accounted
from pastebox.runners.strict_head import HeadLines, fault_of
from pastebox.runners.threaded_loop import ThreadedLoop
from pastebox.runners.watch import watch

log = logging.getLogger("pastebox.worker")

_TIMEOUT_S = 60.0
_BUFFER = 1 << 14
"""Of what is received: most heads are there at once."""
_LINE = 1 << 16
"""The longest request line."""
_RESET = struct.pack("ii", 1, 0)
_BODILESS = ("204", "304")
# The types of both hide most of what their subclasses may touch.
_HandlerBase: Any = ServerHandler
_RequestBase: Any = WSGIRequestHandler


def run(
    app: WSGIApp, threads: int, sockets: Sequence[socket.socket], context: WorkerContext
) -> int:
    """Serve until drained; return the number of requests that were cut off."""
    accounted = Accounted(app, context)

    def converse(connection: socket.socket, address: Address, loop: ThreadedLoop) -> Conversation:
        return Conversation(
            connection,
            address,
            accounted,
            loop.complaints,
            is_multithread=threads > 1,
            is_multiprocess=context.workers > 1,
        )

    loop = ThreadedLoop(
        sockets,
        context,
        converse,
        threads=threads,
        timeout_s=_TIMEOUT_S,
        sees_header=True,
        accounted=accounted,
    )
    context.notify.send(READY=1)
    watch(context, accounted.running, threads)
    return loop.run()


class Handler(_HandlerBase):  # type: ignore[misc]  # as said above
    """One request's way to the application and back."""

    os_environ: dict[str, str] = {}  # noqa: RUF012  # never changed: the process's own stays out
    is_head = False
    is_broken = False
    complaints: Sparing
    result: Any = None

    def cleanup_headers(self) -> None:
        """Complete the header; an answer without a body has no length either."""
        super().cleanup_headers()
        if self.status is not None and self.status.startswith(_BODILESS):
            del self.headers["Content-Length"]

    def write(self, data: bytes) -> None:
        """Send a part of the body; an answer to HEAD has none, whatever the application gives."""
        if not self.is_head:
            super().write(data)
        elif not self.headers_sent:
            self.bytes_sent = len(data)
            self.send_headers()

    def send_headers(self) -> None:
        """Send the header, which says that the connection ends."""
        self.cleanup_headers()
        self.headers["Connection"] = "close"
        super().send_headers()

    def handle_error(self) -> None:
        """Answer 500 where nothing was sent yet; else leave the connection broken."""
        self.is_broken = self.headers_sent
        failed, self.result = self.result, None
        if hasattr(failed, "close"):
            failed.close()
        super().handle_error()

    def log_exception(self, exc_info: Any) -> None:
        """Log what the application raised; what the client did wrong is its own fault."""
        if isinstance(exc_info[1], BadBodyError):
            self.error_status = "400 Bad Request"
            self.error_body = f"{exc_info[1]}\n".encode()
            say, path = self.complaints.say, self.environ["PATH_INFO"]
            say(logging.INFO, "request broken off: %s path=%s", exc_info[1], path)
            return
        log.error("exception while serving path=%s", self.environ["PATH_INFO"], exc_info=exc_info)


class Output:
    """What is written is sent when it is flushed: a header and what follows it in one packet."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take it all."""
        self._parts.append(data)
        return len(data)

    def flush(self) -> None:
        """Send what there is, blocking."""
        data, self._parts = b"".join(self._parts), []
        if data:
            self._connection.sendall(data)


class Conversation(_RequestBase):  # type: ignore[misc]  # as said above
    """One connection, which has one request."""

    server_version = "wsgiref"

    def __init__(
        self,
        connection: socket.socket,
        address: Address,
        app: Accounted,
        complaints: Sparing,
        *,
        is_multithread: bool,
        is_multiprocess: bool,
    ) -> None:
        # Not the one of the class above, which would serve at once.
        self.socket = connection
        self.client_address = describe_address(address)
        self._app = app
        self._complaints = complaints
        self._is_multithread = is_multithread
        self._is_multiprocess = is_multiprocess
        self._stream: Any = connection.makefile("rb", _BUFFER)
        self.rfile: Any = self._stream
        self.wfile = Output(connection)

    def serve(self) -> bool:
        """Serve the request, blocking."""
        self.handle()
        self.wfile.flush()
        return False

    def has_more(self) -> bool:
        """Whether another request has come: none is read."""
        return False

    def close(self) -> None:
        """Give the buffer back; the loop has the socket."""
        self._stream.close()

    def handle(self) -> None:
        """Read the request and answer it."""
        seen = self._stream.peek()
        head, end, _ = seen.partition(b"\r\n\r\n")
        if end and not seen.startswith(b"\r\n"):
            self._fault: str | None = fault_of(head + end)
            if not self._fault:
                self.rfile.read(len(head) + len(end))
                self._take(head.decode("latin-1"))
                self._answer()
                return
        else:  # not whole at once, or after an empty line
            lines = self.rfile = HeadLines(self._stream)
            lines.begin()
            self._fault = None
        self.raw_requestline = self.rfile.readline(_LINE + 1)
        if self.raw_requestline == b"\r\n":  # left over from the body before [RFC 9112, 2.2]
            self.raw_requestline = self.rfile.readline(_LINE + 1)
        if len(self.raw_requestline) > _LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
        elif self.raw_requestline and self.parse_request():
            self._answer()

    def _take(self, head: str) -> None:
        """Set what ``parse_request`` would, of a head that has been looked at.

        Its parser of headers is that of mail, which takes longer than all the rest.
        """
        self.requestline, *fields = head.split("\r\n")
        self.command, target, self.request_version = self.requestline.split(" ")
        self.path: str = f"/{target.lstrip('/')}" if target.startswith("//") else target
        self.headers = HTTPMessage()
        for field in fields:
            name, _, value = field.partition(":")
            self.headers[name] = value.strip(" \t")

    def _answer(self) -> None:
        fault = self.rfile.fault() if self._fault is None else self._fault
        body = None if fault else self._body()
        if body is None:
            self.send_error(400, fault or "the coding of the body is not known")
            return
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.get_environ()
        environ["wsgi.input_terminated"] = True
        handler = Handler(
            io.BytesIO() if body.is_over else io.BufferedReader(body, 1 << 16),
            self.wfile,
            sys.stderr,
            environ,
            multithread=self._is_multithread,
            multiprocess=self._is_multiprocess,
        )
        handler.is_head = self.command == "HEAD"
        handler.request_handler = self
        handler.complaints = self._complaints
        handler.run(self._app)
        if handler.is_broken:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _body(self) -> KnownLength | Chunked | None:
        length = self.headers.get("Content-Length")
        coding = self.headers.get("Transfer-Encoding")
        if coding is not None:
            return Chunked(self.rfile) if coding.strip().lower() == "chunked" else None
        return KnownLength(self.rfile, int(length or 0))

    def get_environ(self) -> dict[str, Any]:
        """Return the standard library's environ, true about the address and the path."""
        self._take_apart()
        host, port = server_address(self.socket, port="80")
        self.server = _Server({"SERVER_NAME": host, "SERVER_PORT": port, "SCRIPT_NAME": ""})
        environ: dict[str, Any] = super().get_environ()
        if self.headers.get("Content-Type") is None:
            del environ["CONTENT_TYPE"]
        return environ

    def _take_apart(self) -> None:
        """Leave the path and the query of a target; the host in it counts [RFC 9112, 3.2.2]."""
        self.path = self.path.partition("#")[0]
        scheme, _, rest = self.path.partition("://")
        if scheme.lower() in ("http", "https"):
            authority, slash, path = rest.partition("/")
            authority, mark, query = authority.partition("?")
            self.path = f"/{path}" if slash else f"/{mark}{query}"
            del self.headers["Host"]
            self.headers["Host"] = authority.rpartition("@")[2]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Stay silent: the access log has it."""


class _Server:
    """What the standard library asks of a server."""

    def __init__(self, base_environ: dict[str, str]) -> None:
        self.base_environ = base_environ
