"""Whether the peer's kernel has everything that was sent to it.

A container's network ends with its last process, and what is still in our send buffer ends
with it.
"""

import array
import contextlib
import fcntl
import socket
import termios

LINGER_S = 0.25
"""How long a connection whose bytes are all acknowledged waits for the peer to close it."""


def unacknowledged(connection: socket.socket) -> int:
    """Return how many bytes the peer's kernel has not acknowledged (SIOCOUTQ, tcp(7))."""
    pending = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(connection, termios.TIOCOUTQ, pending)
    return pending[0]


def unread(connection: socket.socket) -> int:
    """Return how many bytes have arrived that nobody has read; closing resets the peer then."""
    pending = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(connection, termios.FIONREAD, pending)
    return pending[0]
