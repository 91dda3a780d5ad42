"""A client for FastCGI, SCGI and AJP: as many requests as go, a connection for each, as wrk asks.

``python -m bench.direct PROTOCOL ADDRESS SECONDS CONNECTIONS`` prints requests, failures and
seconds. A front end between wrk and the server would cost more than the server, and what is
compared would be the front end.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections import deque
from importlib import import_module

from bench.load import Load
from pastebox.health.ajp import cping

MODULES = {"fastcgi": "fastcgi_client", "scgi": "scgi", "ajp": "ajp_client"}
HEADERS = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "http://localhost/wiki/"),
    ("Cookie", "session=b4f1c09a2d7e4c1f9a3e5d6c7b8a9012"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("X-Forwarded-For", "192.0.2.7"),
    ("X-Forwarded-Proto", "https"),
)
"""What a browser sends, and a front end adds."""
ANSWER = b"hello world\n"
AJP_END = b"AB\x00\x02\x05"
"""The last packet of an answer; an AJP connection stays open behind it."""

PATIENCE = struct.pack("ll", 10, 0)
"""How long an answer may take: 10 s."""


def ask(protocol: str, address: str, seconds: float, connections: int) -> Load:
    """Load a server from a process of its own; ``address`` is a port or the path of a socket."""
    words = [sys.executable, "-m", "bench.direct", protocol, address, str(seconds)]
    text = subprocess.run(
        [*words, str(connections)], capture_output=True, text=True, check=True
    ).stdout
    requests, failed, took = text.split()
    return Load(int(requests) / float(took), int(requests), int(failed))


class Client:
    """The connections of one run, read in the order in which they were made.

    Everything blocks: a client that is told of what is ready does half as much work again for
    each request, and on two CPUs it would be the client that is measured.
    """

    def __init__(self, protocol: str, address: str) -> None:
        module = import_module(f"pastebox.health.{MODULES[protocol]}")
        self._request: bytes = module.request_bytes("/", "localhost", HEADERS)
        self._is_ajp = protocol == "ajp"
        if self._is_ajp:
            self._request = self._request.removeprefix(cping())
        self._is_unix = not address.isdigit()
        self._address = address if self._is_unix else ("127.0.0.1", int(address))
        self._open: deque[socket.socket] = deque()
        self.requests = self.failed = 0

    def run(self, seconds: float, connections: int) -> float:
        """Ask; return the seconds until the last answer."""
        began = time.monotonic()
        until = began + seconds
        for _ in range(connections):
            self._begin()
        while self._open:
            with self._open.popleft() as connection:
                self._read(connection)
            if time.monotonic() < until:
                self._begin()
        return time.monotonic() - began

    def _begin(self) -> None:
        family = socket.AF_UNIX if self._is_unix else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.connect(self._address)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, PATIENCE)
            connection.send(self._request)
        except OSError:
            self.failed += 1
            connection.close()
            return
        self._open.append(connection)

    def _read(self, connection: socket.socket) -> None:
        try:
            answer = self._read_ajp(connection) if self._is_ajp else _read_all(connection)
        except OSError:
            answer = b""
        if ANSWER in answer:
            self.requests += 1
        else:
            self.failed += 1

    def _read_ajp(self, connection: socket.socket) -> bytes:
        """Return an answer, whose end is not the end of the connection.

        Its pieces are acknowledged at once. Plain flup sends several, each of which would wait
        40 ms for that; the wait is measured elsewhere.
        """
        answer = b""
        while AJP_END not in answer:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = connection.recv(65536)
            if not data:
                break
            answer += data
        return answer


def _read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server ends the connection, by one call."""
    return connection.recv(65536, socket.MSG_WAITALL)


def main() -> None:
    """Run as the arguments say, and print what was found."""
    protocol, address, seconds, connections = sys.argv[1:]
    client = Client(protocol, address)
    took = client.run(float(seconds), int(connections))
    print(client.requests, client.failed, took)


if __name__ == "__main__":
    main()
