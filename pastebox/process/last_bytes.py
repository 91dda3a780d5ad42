"""What a connection's buffers in the kernel still hold, when it is about to be closed.

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
    return _asked(connection, termios.TIOCOUTQ)


def unread(connection: socket.socket) -> int:
    """Return how many bytes have come that nobody has read (SIOCINQ): a close resets the peer."""
    return _asked(connection, termios.FIONREAD)


def _asked(connection: socket.socket, question: int) -> int:
    """Return the kernel's answer; 0 for a connection that is gone."""
    answer = array.array("i", [0])
    with contextlib.suppress(OSError, ValueError):
        fcntl.ioctl(connection, question, answer)
    return answer[0]
