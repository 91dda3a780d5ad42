"""How long a single request takes over connections that a front end keeps open.

A server that sends head and body apart, without TCP_NODELAY, waits for the other side's delayed
acknowledgement: 44 ms for each request, and only where connections are kept.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.pairs import Pair

if TYPE_CHECKING:
    from bench.servers import Field

REQUESTS = 50
PATHS = ("/", "/parts")
LEFT_OUT = ("scgi", "wsgiref", "fork")
"""Who closes after each request, or is only a variant."""


class Wait(NamedTuple):
    """One server behind one port of a front end."""

    name: str
    is_ours: bool
    front: str
    port: int

    def measure(self) -> dict[str, Any]:
        """Ask one request after the other; return the median of the worse path, in ms."""
        worst = max(median(_ask(self.port, path)) for path in PATHS)
        return {
            "name": self.name,
            "is_ours": self.is_ours,
            "front": self.front,
            "ms": round(worst, 2),
        }


def prepare(field: Field, pairs: Sequence[Pair]) -> list[Wait]:
    """Add a port with kept connections to the front ends, for each server that can keep them."""
    waits = []
    for pair in pairs:
        if pair.is_unix or any(word in pair.name for word in LEFT_OUT) or "sync" in pair.name:
            continue
        front = "Apache" if pair.protocol == "ajp" else "nginx"
        for side in [side for side in field.sides if side.name == pair.name]:
            port = field.keep(side)
            waits.append(Wait(pair.name, side.is_ours, front, port))
    return waits


def _ask(port: int, path: str) -> list[float]:
    """Return the milliseconds of each request."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    found = []
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(REQUESTS):
            began = time.perf_counter()
            connection.sendall(request)
            _read(connection)
            found.append(1000 * (time.perf_counter() - began))
    return found


def _read(connection: socket.socket) -> None:
    """Read one answer: both paths say ``hello world`` and a newline, by length or in chunks."""
    data = b""
    while not (data.endswith((b"world\n", b"0\r\n\r\n")) and b"\r\n\r\n" in data):
        part = connection.recv(65536)
        if not part:
            raise SystemExit("a front end hung up")
        data += part
