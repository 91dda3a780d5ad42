"""How a worker reaches the watcher: one connection for each message, JSON until its end.

The watcher's answer to a connection is the descriptor of the board (:mod:`pastebox.watch.board`),
so that it needs no inheritance and passes through every server that starts processes by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
from typing import Any

_PATIENCE_S = 2.0
_CREDENTIALS = struct.Struct("3i")


def listen(directory: str, who: str = "watcher") -> tuple[socket.socket, str]:
    """Return a listening socket and its address, which no other user can reach."""
    name = f"pastebox-{who}-{os.getpid()}-{os.urandom(6).hex()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    address = "@" + name if sys.platform == "linux" else os.path.join(directory, name)
    listener.bind(_spelled(address))
    if not address.startswith("@"):
        os.chmod(address, 0o600)
    listener.listen(64)
    listener.setblocking(False)
    return listener, address


def send(address: str, message: dict[str, Any], *, wants_board: bool = False) -> int | None:
    """Send one message; return the board's descriptor if it is wanted and came.

    A watcher that is gone, or too busy, is no reason for a worker to fail.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
    ):
        connection.settimeout(_PATIENCE_S)
        connection.connect(_spelled(address))
        connection.sendall(json.dumps(message).encode("utf-8", "surrogateescape"))
        connection.shutdown(socket.SHUT_WR)
        if wants_board:
            _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
            return descriptors[0] if descriptors else None
    return None


def accept(listener: socket.socket) -> socket.socket | None:
    """Return a connection of this user's, not blocking; ``None`` where there is none.

    Raises:
        OSError: nobody waits, or whoever did is gone.
    """
    connection, _ = listener.accept()
    if not is_ours(connection):
        connection.close()
        return None
    connection.setblocking(False)
    return connection


def connect(address: str) -> socket.socket:
    """Return a connection that is to last.

    Raises:
        OSError: nobody listens there any more.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(_spelled(address))
    except OSError:
        connection.close()
        raise
    return connection


def is_ours(connection: socket.socket) -> bool:
    """Whether the peer is this user, or root; on Linux anybody can connect."""
    if sys.platform != "linux":
        return True
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return _CREDENTIALS.unpack(data)[1] in (os.geteuid(), 0)


def _spelled(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address
