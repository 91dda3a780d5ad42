"""Asking a server in its own protocol, to the last byte. HTTP here; a protocol is a class."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Iterable
from typing import NamedTuple

PATIENCE_S = 20.0


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
    """A client of one place; every request on a connection of its own, unless one is given."""

    name = "http"

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
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            return read_whole(connection.getresponse())


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
