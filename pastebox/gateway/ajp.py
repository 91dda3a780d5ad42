"""AJP 1.3: one request after another on a connection; the server asks for the body in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from hmac import compare_digest

from pastebox.gateway.body import Body
from pastebox.gateway.environ import asked_path
from pastebox.gateway.request import Headers, Host, Octets, Request
from pastebox.health import ajp as codec
from pastebox.health.http import ProtocolError

_PIECE = codec.chunk_limit()
_TOGETHER = 64
"""Packets that are sent together: half a megabyte."""
_BODY_PIECE = codec.body_limit()
_TLS = {
    "ssl_cert": "SSL_CLIENT_CERT",
    "ssl_cipher": "SSL_CIPHER",
    "ssl_session": "SSL_SESSION_ID",
    "ssl_key_size": "SSL_CIPHER_USEKEYSIZE",
}


class AjpReply:
    """An answer in packets."""

    def __init__(self) -> None:
        self.keeps_open = True

    def head(self, status: str, headers: Headers) -> bytes:
        """Return the packet of the head; ``ValueError`` when it is longer than a packet."""
        code, _, reason = status.partition(" ")
        packet = codec.send_headers(int(code), reason, headers)
        if len(packet) > codec.PACKET_LIMIT:
            raise ValueError(f"the headers are longer than a packet of {codec.PACKET_LIMIT} bytes")
        return packet

    def parts(self, data: bytes) -> Iterator[Octets]:
        """Return packets, many of them together."""
        if len(data) <= _PIECE:
            yield codec.send_body_chunk(data)
            return
        step = _PIECE * _TOGETHER
        for start in range(0, len(data), step):
            stop = min(start + step, len(data))
            yield b"".join(
                codec.send_body_chunk(data[at : min(at + _PIECE, stop)])
                for at in range(start, stop, _PIECE)
            )

    def end(self) -> bytes:
        """Return the end, which says whether another request may follow."""
        return codec.end_response(reuse=self.keeps_open)

    def breach(self) -> bytes:
        """Return a packet with a magic number that there is not."""
        return bytes(4)


class AjpWire:
    """The receiving end.

    Args:
        host: the connection.
        secret: what each request must bring; empty for nothing.
    """

    def __init__(self, host: Host, secret: str = "") -> None:
        self._host = host
        self._secret = secret.encode()
        self._reader = codec.PacketReader()
        self._environ: dict[str, str] | None = None
        self._body = Body()
        self._left = -1  # -1: as much as comes
        self._running: Request | None = None
        self._is_bare = False  # the front end sends pieces without their length
        self._is_over = False  # what follows a refusal is of no interest

    @property
    def is_midway(self) -> bool:
        """Whether a part of a request has come."""
        return self._environ is not None or not self._reader.is_between

    @property
    def has_head(self) -> bool:
        """Whether the header of such a request is whole."""
        return self._environ is not None

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ProtocolError: this is not AJP, or passes a limit.
        """
        for payload in () if self._is_over else self._reader.feed(data):
            if self._is_over:
                return
            if self._environ is not None:
                self._take_body(self._piece(payload))
            elif payload:
                self._take(payload)
            # else the empty packet that ends a body which is whole already

    def close(self) -> None:
        """Give back what half a request holds."""
        if self._environ is not None:
            self._body.close()
        if self._running is not None:
            self._running.is_aborted = True

    def _take(self, payload: bytes) -> None:
        kind = payload[0]
        if kind == codec.CPING:
            self._host.say(codec.cpong())
        elif kind == codec.FORWARD_REQUEST:
            self._open(codec.decode_forward_request(payload))
        elif kind not in (codec.SHUTDOWN, codec.PING):  # nobody shuts us down from outside
            raise ProtocolError(f"a packet of type {kind}")

    def _open(self, asked: codec.ForwardRequest) -> None:
        if self._running is not None and not self._running.is_answered:
            raise ProtocolError("a request before the answer to the last one")
        secret = asked.attributes.get("secret", "").encode("latin-1")
        environ = variables(asked)
        self._environ, self._body = environ, Body()
        if self._secret and not compare_digest(secret, self._secret):
            self._begin("403 Forbidden")
            return
        length = environ.get("CONTENT_LENGTH", "")
        if length and not (length.isascii() and length.isdigit() and len(length) < 19):  # noqa: PLR2004  # digits of 2**63
            self._begin("400 Bad Request")
        elif length:
            self._left = int(length)
            if not self._left:
                self._begin("")
            # else the front end sends the first piece unasked
        elif environ.get("HTTP_TRANSFER_ENCODING"):
            self._left = -1
            self._host.say(codec.get_body_chunk(_BODY_PIECE))
        else:
            self._begin("")

    def _piece(self, payload: bytes) -> bytes:
        """Return the piece of a body that a packet holds."""
        if not self._is_bare:
            try:
                return codec.read_body_packet(payload)
            except ProtocolError:
                # lighttpd 1.4.69 leaves the length out that stands before each piece
                if not 0 < len(payload) <= self._left:
                    raise
                self._is_bare = True
        return payload

    def _take_body(self, piece: bytes) -> None:
        self._body.write(piece)
        if self._left >= 0:
            self._left -= len(piece)
            if self._left < 0:
                raise ProtocolError("the body is longer than its length")
        if not self._left:
            self._begin("")
        elif piece:
            most = _BODY_PIECE if self._left < 0 else min(_BODY_PIECE, self._left)
            self._host.say(codec.get_body_chunk(most))
        elif self._left > 0:
            self._begin("400 Bad Request")  # the client went away in its request
        else:
            environ = self._environ or {}
            environ["CONTENT_LENGTH"] = str(self._body.size)
            environ.pop("HTTP_TRANSFER_ENCODING", None)
            self._begin("")

    def _begin(self, refusal: str) -> None:
        environ, self._environ = self._environ or {}, None
        reply = AjpReply()
        if refusal:
            reply.keeps_open = False  # a body may be on its way that nobody wants
            self._is_over = True
        self._running = Request(environ, self._body, reply, refusal=refusal)
        self._host.begin(self._running)


def variables(asked: codec.ForwardRequest) -> dict[str, str]:
    """Return the CGI variables of a request."""
    attributes = asked.attributes
    query = attributes.get("query_string", "")
    environ = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": asked_path(asked.uri),
        "QUERY_STRING": query,
        "REQUEST_URI": f"{asked.uri}?{query}" if query else asked.uri,
        "SERVER_PROTOCOL": asked.protocol,
        "SERVER_NAME": asked.server_name or "localhost",
        "SERVER_PORT": str(asked.server_port),
        "REMOTE_ADDR": asked.remote_addr,
    }
    if asked.remote_host and asked.remote_host != asked.remote_addr:
        environ["REMOTE_HOST"] = asked.remote_host
    if asked.is_ssl:
        environ["HTTPS"] = "on"
    for name, value in asked.headers:
        _add_header(environ, name, value)
    _add_attributes(environ, asked)
    return environ


def _add_attributes(environ: dict[str, str], asked: codec.ForwardRequest) -> None:
    attributes = asked.attributes
    for name in ("remote_user", "auth_type"):
        if attributes.get(name):
            environ[name.upper()] = attributes[name]
    for name, variable in _TLS.items():
        if name in attributes:
            environ[variable] = attributes[name]
    for name, value in asked.request_attributes.items():
        if name == "AJP_REMOTE_PORT":
            environ["REMOTE_PORT"] = value
        elif not name.startswith(("HTTP_", "wsgi.")):
            environ.setdefault(name, value)


def _add_header(environ: dict[str, str], name: str, value: str) -> None:
    variable = name.upper().replace("-", "_")
    if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        variable = "HTTP_" + variable
    if variable in environ:
        value = f"{environ[variable]}{'; ' if variable == 'HTTP_COOKIE' else ', '}{value}"
    environ[variable] = value
