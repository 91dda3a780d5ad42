"""Whether the peer's kernel has everything that was sent to it.

A container's network ends with its last process, and what is still in our send buffer ends
with it.
"""

import array
import contextlib
import fcntl
import select
import socket
import termios
import time

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


def see_off(connection: socket.socket, deadline: float) -> bool:
    """Shut down for writing and wait, until ``deadline`` (monotonic), for the peer to have it all.

    Blocks; the caller closes. False when the deadline came first.
    """
    try:
        connection.shutdown(socket.SHUT_WR)
        connection.setblocking(False)
    except OSError:
        return True
    acknowledged_by = time.monotonic() + LINGER_S
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    while time.monotonic() < deadline:
        poller.poll(20)
        try:
            while connection.recv(65536):
                pass
        except BlockingIOError:
            if time.monotonic() > acknowledged_by and not unacknowledged(connection):
                return True
            continue
        except OSError:
            return True
        return True
    return not unacknowledged(connection)
