"""Connections that keep a server busy with nothing: idle ones, and requests that come in bytes."""

from __future__ import annotations

import contextlib
import socket
import threading

from pastebox.health import ajp, ajp_client, fastcgi, fastcgi_client, scgi

HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_HTTP = b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 4000
KEEP = 1
"""The flag of FastCGI's BEGIN_REQUEST that keeps the connection."""
ENDS = {"http": b"world\n", "fastcgi": b"\1\3\0\1", "ajp": b"AB\0\2\5"}
"""How the end of an answer is known."""


def _first_request(protocol: str) -> bytes:
    """Return the request that an idle connection has had; none of those that close."""
    if protocol == "http":
        return HTTP
    if protocol == "ajp":
        return ajp_client.request_bytes("/", "localhost").removeprefix(ajp.cping())
    if protocol == "fastcgi":
        whole = fastcgi_client.request_bytes("/", "localhost")
        begin = fastcgi.begin_request(1)
        return fastcgi.begin_request(1, flags=KEEP) + whole.removeprefix(begin)
    return b""


def _slow_request(protocol: str) -> bytes:
    """Return the beginning of a request that has a long way to its end."""
    headers = (("X-Slow", "x" * 4000),)
    if protocol == "http":
        return SLOW_HTTP
    if protocol == "scgi":
        return scgi.request_bytes("/", "localhost", headers)
    if protocol == "fastcgi":
        return fastcgi_client.request_bytes("/", "localhost", headers)
    return ajp_client.request_bytes("/", "localhost", headers).removeprefix(ajp.cping())


class Crowd:
    """Everybody who is there beside those whose rate is measured.

    Args:
        protocol: what the server speaks.
        port: where it listens on 127.0.0.1.
        idle: connections that have had an answer, or only exist where none follows another.
        slow: connections that send one byte of a request each second.
        keeps: whether a connection of this server can have more than one request.
    """

    def __init__(self, protocol: str, port: int, idle: int, slow: int, *, keeps: bool) -> None:
        self._address = ("127.0.0.1", port)
        first = _first_request(protocol) if keeps else b""
        self._idle = [self._asked_once(first, ENDS.get(protocol, b"")) for _ in range(idle)]
        self._slow = [socket.create_connection(self._address, timeout=10) for _ in range(slow)]
        self._bytes = _slow_request(protocol)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._trickle, daemon=True)
        self._thread.start()

    def _asked_once(self, request: bytes, end: bytes) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=10)
        data = b""
        if request:
            connection.sendall(request)
            while end not in data:
                part = connection.recv(65536)
                if not part:
                    break
                data += part
        connection.setblocking(False)
        return connection

    def _trickle(self) -> None:
        for byte in self._bytes:
            for connection in self._slow:
                with contextlib.suppress(OSError):
                    connection.send(bytes([byte]))
            if self._is_over.wait(1.0):
                return

    def left(self) -> int:
        """Return how many idle connections the server has not closed."""
        count = 0
        for connection in self._idle:
            try:
                count += bool(connection.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                count += 1
            except OSError:
                continue
        return count

    def leave(self) -> None:
        """Close everything."""
        self._is_over.set()
        self._thread.join(5)
        for connection in self._idle + self._slow:
            connection.close()
