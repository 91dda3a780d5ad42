"""Server-sent events for the browsers of somebody who develops: load the page again.

A port beside the health port, on the master's loop. It tells one number, now and whenever it
changes; a page knows the number that it was made with.
"""

from __future__ import annotations

import contextlib
import logging
import socket

from pastebox.process.loop import Loop

log = logging.getLogger("pastebox.master")

_MOST = 64
_LONGEST_HEAD = 16384
_BEAT_S = 15.0
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\nretry: 500\n\n"
)


class LiveReload:
    """The listening end, and the browsers that wait.

    Args:
        loop: the master's.
        listener: bound and listening; closed with this object.
    """

    def __init__(self, loop: Loop, listener: socket.socket) -> None:
        self.number = 0
        self._loop = loop
        self._listener = listener
        self._asking: dict[socket.socket, bytes] = {}
        self._waiting: dict[socket.socket, None] = {}
        listener.setblocking(False)
        loop.on_readable(listener.fileno(), self._accept)
        self._beat = loop.call_later(_BEAT_S, self._keep_alive)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._listener.getsockname()[1])

    def tell(self) -> None:
        """Have every browser load its page again."""
        self.number += 1
        for connection in list(self._waiting):
            self._send(connection, b"data: %d\n\n" % self.number)

    def close(self) -> None:
        """Let everybody go."""
        self._beat.cancel()
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for connection in [*self._asking, *self._waiting]:
            self._drop(connection)

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked child."""
        self._listener.close()
        for connection in [*self._asking, *self._waiting]:
            connection.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        everybody = [*self._asking, *self._waiting]
        if len(everybody) >= _MOST:
            self._drop(everybody[0])
        self._asking[connection] = b""
        self._loop.on_readable(connection.fileno(), lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        if connection in self._waiting:
            return  # nothing more is expected of it
        head = self._asking[connection] = self._asking[connection] + data
        if b"\r\n\r\n" in head:
            del self._asking[connection]
            self._waiting[connection] = None
            self._send(connection, _HEAD + b"data: %d\n\n" % self.number)
        elif len(head) > _LONGEST_HEAD:
            self._drop(connection)

    def _keep_alive(self) -> None:
        self._beat = self._loop.call_later(_BEAT_S, self._keep_alive)
        for connection in list(self._waiting):
            self._send(connection, b":\n\n")

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            connection.send(data)
        except OSError:  # it is gone, or reads so slowly that it is better made anew
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._asking.pop(connection, None)
        self._waiting.pop(connection, None)
        with contextlib.suppress(OSError):
            self._loop.forget(connection.fileno())
        connection.close()
