"""How many connections there may be, and whom they connect."""

import contextlib
import resource
import socket
from typing import Any

Address = tuple[Any, ...] | str | bytes
"""As the ``socket`` module gives it."""

_DESCRIPTORS_KEPT = 200
"""Descriptors left to the application: files, database connections, its own clients."""


def connection_limit() -> int:
    """Return what the descriptors allow, up to 10 000."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 10_000
    return max(100, min(10_000, soft - _DESCRIPTORS_KEPT))


def describe_address(address: Address) -> tuple[str, str]:
    """Return host and port of what a connection was accepted with; a Unix socket has none."""
    if isinstance(address, tuple):
        return str(address[0]), str(address[1])
    return "", ""


def server_address(connection: socket.socket, *, port: str) -> tuple[str, str]:
    """Return host and port as this connection reached us; ``port`` where there is none."""
    with contextlib.suppress(OSError):
        address = connection.getsockname()
        if isinstance(address, tuple):
            host = f"[{address[0]}]" if ":" in address[0] else str(address[0])
            return host, str(address[1])
    return "localhost", port
