"""Asking a server over HTTP, to the last byte; `contract_gateways` has the other protocols.

A client is a class with ``ask``, ``begin``, ``connection`` and a few facts of its protocol.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Iterable
from typing import NamedTuple

PATIENCE_S = 20.0
NOTHING = 0
"""The status of an answer of which nothing came."""


class Reply(NamedTuple):
    """A response. ``is_whole`` is false when the stream ended before the response did."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def text(self) -> str:
        return self.body.decode()


class Place(NamedTuple):
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int = 0
    path: str = ""

    def connect(self) -> socket.socket:
        if self.path:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(PATIENCE_S)
            try:
                connection.connect(self.path)
            except OSError:
                connection.close()
                raise
            return connection
        return socket.create_connection((self.host, self.port), PATIENCE_S)


class _Connection(http.client.HTTPConnection):
    def __init__(self, place: Place) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._place = place

    def connect(self) -> None:
        self.sock = self._place.connect()


class Http:
    """A client of one place; every request on a connection of its own, unless one is given.

    Attributes:
        keeps: connections can carry another request.
        has_chunks: a request's body need not tell its length.
        half: the beginning of a request.
        garbage: what is no request.
    """

    name = "http"
    keeps = True
    has_chunks = True
    half = b"GET / HTTP/1.1\r\nHo"
    garbage = (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 40000)

    def __init__(self, place: Place) -> None:
        self.place = place

    def connection(self) -> _Connection:
        return _Connection(self.place)

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes | Iterable[bytes] | None = None,
        *,
        on: _Connection | None = None,
        **headers: str,
    ) -> Reply:
        """Ask, and read the response to its end; an iterable body is sent in chunks."""
        connection = on or self.connection()
        with contextlib.ExitStack() as stack:
            if on is None:
                stack.enter_context(contextlib.closing(connection))
            try:
                answer = self.begin(method, path, body, on=connection, **headers)
            except ConnectionResetError:  # without a byte, or with a reset that took them along
                return Reply(NOTHING, {}, b"", is_whole=False)
            return read_whole(answer)

    def begin(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        on: _Connection,
        **headers: str,
    ) -> http.client.HTTPResponse:
        """Ask, and return a response that can be ``read`` as it comes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        on.request(method, path, body=body, headers=named)
        return on.getresponse()

    def ask_raw(self, method: str, path: str = "/") -> Reply:
        """Ask, and read to the end of the stream: a body that must not be there is seen."""
        with contextlib.closing(self.place.connect()) as connection:
            request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            data = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        return Reply(int(head.split(b" ", 2)[1]), headers_of(head.partition(b"\r\n")[2]), body)

    def request_bytes(self, path: str) -> bytes:
        """Return a GET request."""
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def headers_of(head: bytes) -> dict[str, str]:
    """Return the headers in the lines of a head, named in lower case."""
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def read_whole(response: http.client.HTTPResponse) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        return Reply(response.status, headers, response.read())
    except (http.client.IncompleteRead, ConnectionError) as error:
        part = getattr(error, "partial", b"")
        return Reply(response.status, headers, part, is_whole=False)


def digest_of(data: bytes) -> str:
    """What the application's ``/echo`` says of ``data``."""
    return f"{len(data)} {hashlib.sha256(data).hexdigest()}"
