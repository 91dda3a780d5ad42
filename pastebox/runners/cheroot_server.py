"""cheroot's HTTP on our loop: its parser and its request, our threads, gateway and end.

What differs from cheroot's own server: a connection waits for its header outside of a thread,
any number may stay open between requests, an error before the first byte is a 500 in every case,
one after it ends the connection, and a stop loses nothing.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any

from cheroot import errors, server, wsgi

from pastebox.config.model import WSGIApp
from pastebox.runners.body import BadBodyError, Chunked, KnownLength, discard
from pastebox.runners.cheroot_options import ServerOptions
from pastebox.runners.connections import Address, describe_address, server_address
from pastebox.runners.context import WorkerContext
from pastebox.runners.middleware import Accounted
from pastebox.runners.strict_head import HeadLines
from pastebox.runners.threaded_loop import ThreadedLoop
from pastebox.runners.watch import watch

log = logging.getLogger("pastebox.worker")

_LARGEST_HEADER = 1 << 16
_BODILESS = (204, 304)
_BUFFER = 1 << 16
_MOST_DISCARDED = 1 << 20
"""Of a body that the application did not read; a longer one costs the client its connection."""


def run(
    app: WSGIApp, options: ServerOptions, sockets: Sequence[socket.socket], context: WorkerContext
) -> int:
    """Serve until drained; return the number of requests that were cut off."""
    accounted = Accounted(app, context)
    http = HTTP(accounted, options, is_multiprocess=context.workers > 1)
    if options.backlog:
        for listener in sockets:
            listener.listen(options.backlog)
    loop = ThreadedLoop(
        sockets,
        context,
        http.converse,
        threads=options.threads,
        timeout_s=options.timeout_s,
        sees_header=not options.ssl_pem,
        accounted=accounted,
    )
    context.notify.send(READY=1)
    watch(context, accounted.running, options.threads)
    return loop.run()


class Gateway(wsgi.Gateway_10):  # type: ignore[misc]  # cheroot ships no types
    """One request's way to the application and back."""

    remaining_bytes_out: int | None

    def get_environ(self) -> dict[str, Any]:
        """Return cheroot's environ, true about the address and the number of processes."""
        environ: dict[str, Any] = super().get_environ()
        http, conn = self.req.server, self.req.conn
        host, port = server_address(conn.socket, port="443" if http.ssl_adapter else "80")
        environ["SERVER_NAME"] = http.options.server_name or host
        environ["SERVER_PORT"] = port
        environ["wsgi.multiprocess"] = http.is_multiprocess
        environ["wsgi.errors"] = sys.stderr
        return environ

    def respond(self) -> None:
        """Run the application; nothing is sent for it before it has given a first byte."""
        response = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            for chunk in response:
                if not isinstance(chunk, bytes):
                    raise TypeError("the application gave something else than bytes")
                if chunk:
                    self.write(chunk)
            if not self.has_started:
                raise RuntimeError("the application never called start_response")
            self.req.ensure_headers_sent()
        finally:
            if hasattr(response, "close"):
                response.close()
        if self.remaining_bytes_out and self._has_body:
            # The client waits for the rest, which will not come.
            self.req.close_connection = True
            log.error("the application gave fewer bytes than it declared path=%s", self.req.path)

    @property
    def has_started(self) -> bool:
        """Whether ``start_response`` was called."""
        return bool(self.started_response)

    @property
    def _has_body(self) -> bool:
        return self.req.method != b"HEAD" and int(self.req.status[:3]) not in _BODILESS

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        """Take status and headers; those of an error replace what was there before."""
        if exc_info is not None and not self.req.sent_headers:
            self.req.outheaders.clear()
            self.remaining_bytes_out = None
        return super().start_response(status, headers, exc_info)

    def write(self, chunk: bytes) -> None:
        """Send a part of the body, as far as the declared length goes."""
        if not self.has_started:
            raise RuntimeError("the application gave bytes before it called start_response")
        left = self.remaining_bytes_out
        if left is not None and len(chunk) > left and self._has_body:
            log.error("the application gave more bytes than it declared path=%s", self.req.path)
            chunk = chunk[:left]
            self.req.close_connection = True
        self.req.ensure_headers_sent()
        if chunk and self._has_body:
            self.req.write(chunk)
            if left is not None:
                self.remaining_bytes_out = left - len(chunk)


def read_fields(rfile: Any, fields: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Read the fields of a header; those that repeat are joined.

    Raises:
        ValueError: a line is none, which cheroot answers with 400.
    """
    while (line := rfile.readline()) != b"\r\n":
        name, colon, value = line.partition(b":")
        if not colon or name[:1] in b" \t" or not line.endswith(b"\r\n"):
            raise ValueError("Illegal header line.")
        if b"_" in name:
            continue  # in WSGI, Content_Length would pass for Content-Length
        name, value = name.title(), value.strip(b" \t\r\n")
        if name in fields:
            value = (b"; " if name == b"Cookie" else b", ").join((fields[name], value))
        fields[name] = value
    return fields


class Request(server.HTTPRequest):  # type: ignore[misc]  # cheroot ships no types
    """One request; it ends the connection when the server is about to stop."""

    header_reader = staticmethod(read_fields)
    outheaders: list[tuple[bytes, bytes]]

    def read_request_line(self) -> bool:
        """Read the request line; refuse what cannot be taken apart."""
        try:
            return bool(super().read_request_line())
        except ValueError:  # urlsplit, of a host in brackets that do not close
            self.simple_response("400 Bad Request", "Malformed Request-URI")
            return False

    def read_request_headers(self) -> bool:
        """Read the header; refuse one that can be read in two ways."""
        if not super().read_request_headers():
            return False
        fault = self.conn.rfile.fault()
        if fault:
            self.simple_response("400 Bad Request", fault)
        return not fault

    def respond(self) -> None:
        """Run the application with a body that ends where it ends."""
        length = int(self.inheaders.get(b"Content-Length", 0))
        body = (
            Chunked(self.conn.rfile) if self.chunked_read else KnownLength(self.conn.rfile, length)
        )
        self.rfile = io.BufferedReader(body, _BUFFER)
        try:
            self.server.gateway(self).respond()
        except BadBodyError as error:
            say = self.conn.loop.complaints.say
            say(logging.INFO, "request broken off: %s path=%s", error, self.path.decode("latin-1"))
            self.close_connection = True
            if not self.sent_headers:
                self.simple_response("400 Bad Request", str(error))
            return
        self.conn.wfile.write(b"0\r\n\r\n" if self.chunked_write else b"")
        if not self.close_connection and not discard(body, _MOST_DISCARDED):
            self.close_connection = True

    def simple_response(self, status: str, msg: str = "") -> None:
        """Refuse in the server's own name; the connection ends with it, and is told so."""
        self.close_connection = True
        body = msg.encode("latin-1", "replace")
        head = (
            f"{self.server.protocol} {status}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: text/plain\r\nConnection: close\r\n\r\n"
        )
        is_head = getattr(self, "method", b"") == b"HEAD"
        with contextlib.suppress(OSError):
            self.conn.wfile.write(head.encode("latin-1") + (b"" if is_head else body))

    def send_headers(self) -> None:
        """Send the header, with ``Connection: close`` once the loop is lame."""
        if self.conn.loop.is_lame:
            self.close_connection = True
            self.outheaders = [one for one in self.outheaders if one[0].lower() != b"connection"]
        self.conn.wfile.hold()
        super().send_headers()


class Writer:
    """The way out of a connection: a header travels with the first bytes of the body."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._held = b""
        self._holds = False
        self.bytes_written = 0

    def hold(self) -> None:
        """Keep the next write back until the one after it."""
        self._holds = True

    def write(self, data: bytes) -> None:
        """Send it all; each part of it may take as long as the socket's timeout."""
        if self._holds:
            self._held, self._holds = data, False
            return
        held, self._held = self._held, b""
        if held and len(data) < _BUFFER:
            data = held + data
        elif held:
            self._send(held)
        self._send(data)

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        self.bytes_written += len(left)
        while left:
            left = left[self._connection.send(left) :]


def make_file(connection: socket.socket, mode: str, _size: int = 0) -> Any:
    """Return what cheroot reads from or writes to."""
    if "r" in mode:
        return HeadLines(connection.makefile("rb", _BUFFER))
    return Writer(connection)


class Conversation(server.HTTPConnection):  # type: ignore[misc]  # cheroot ships no types
    """One connection."""

    RequestHandlerClass = Request
    loop: ThreadedLoop
    socket: Any

    def serve(self) -> bool:
        """Serve one request, blocking; return whether another one may follow."""
        self.rfile.begin()
        return bool(self.communicate())

    def has_more(self) -> bool:
        """Whether a part of the next request has been read already."""
        self.socket.setblocking(False)
        try:
            return bool(self.rfile.peek(1))
        except OSError:  # TLS has nothing yet, or the next look will see what is wrong
            return False
        finally:
            self.socket.settimeout(self.server.timeout)

    def close(self) -> None:
        """Give the buffers back; the loop has the socket."""
        self.rfile.close()


class HTTP:
    """What cheroot's requests and connections ask of their server."""

    gateway = Gateway
    max_request_header_size = _LARGEST_HEADER
    max_request_body_size = 0
    peercreds_enabled = False
    peercreds_resolve_enabled = False
    can_add_keepalive_connection = True

    def __init__(self, app: WSGIApp, options: ServerOptions, *, is_multiprocess: bool) -> None:
        self.wsgi_app = app
        self.options = options
        self.is_multiprocess = is_multiprocess
        self.protocol = options.protocol
        self.timeout = options.timeout_s
        self.server_name = options.server_name or "cheroot"
        self.software = server.HTTPServer.version
        self.bind_addr = ("", 0)
        self.stats = {"Enabled": False}
        self.ssl_adapter: Any = None
        if options.ssl_pem:
            from cheroot.ssl.builtin import BuiltinSSLAdapter  # noqa: PLC0415  # TLS only

            self.ssl_adapter = BuiltinSSLAdapter(options.ssl_pem, options.ssl_pem)

    def converse(
        self, connection: socket.socket, address: Address, loop: ThreadedLoop
    ) -> Conversation:
        """Begin on a new connection, with the handshake where there is TLS.

        Raises:
            OSError: the client does not speak TLS, or is gone.
        """
        remote_addr, remote_port = describe_address(address)
        secured, environ = connection, {}
        if self.ssl_adapter is not None:
            try:
                secured, environ = self.ssl_adapter.wrap(connection)
            except (errors.FatalSSLAlert, errors.NoSSLError) as error:
                raise ConnectionAbortedError(f"no TLS: {error}") from error
            secured.settimeout(self.timeout)
        conversation = Conversation(self, secured, make_file)
        conversation.loop = loop
        conversation.remote_addr, conversation.remote_port = remote_addr, remote_port
        conversation.ssl_env = environ
        return conversation

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: FBT001, FBT002  # cheroot's signature
        """Log what cheroot has to say; what an application raises comes here as well."""
        log.log(max(level, logging.ERROR) if traceback else level, "%s", msg, exc_info=traceback)
