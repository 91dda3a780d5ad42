"""One connection of a threaded worker, and what is said on it."""

from __future__ import annotations

import select
import socket
import time
from typing import Protocol

from pastebox.runners.connections import Address

WAITING, WORKING, LINGERING, CLOSED = range(4)
"""The states of a connection: only while it is ``WORKING`` a thread has it."""
ARMED = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""What the loop wants to hear of a connection that it has."""


class Conversation(Protocol):
    """What is said on one connection; ``socket`` is what it is said through, such as TLS."""

    socket: socket.socket

    def serve(self) -> bool:
        """Serve one request, blocking; return whether another one may follow."""
        ...

    def has_more(self) -> bool:
        """Whether a part of the next request has been read already."""
        ...

    def close(self) -> None:
        """Give back what is not the socket."""
        ...


class Peer:
    """One connection, owned by the loop or by the thread that serves it."""

    __slots__ = (
        "address",
        "conversation",
        "descriptor",
        "is_partial",
        "is_watched",
        "lingers_until",
        "since",
        "socket",
        "state",
        "thread",
    )

    def __init__(self, connection: socket.socket, address: Address) -> None:
        self.socket = connection
        self.address = address
        self.descriptor = connection.fileno()
        self.state = WAITING
        self.since = time.monotonic()  # of the last change of state
        self.is_partial = False  # a part of a header is there
        self.is_watched = False  # the loop's poller knows it
        self.lingers_until = 0.0
        self.thread = 0  # that serves it
        self.conversation: Conversation | None = None
