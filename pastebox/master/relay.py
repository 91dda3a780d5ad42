"""The debugger's port: it stays while generations come and go, and leads to the one that serves.

Each worker's debugger listens on a port of its own, of this machine only. A client that is attached
to an old generation is told by DAP's ``terminated`` event to attach again (``restart``), unless it
stands at a breakpoint; then it is told when it goes on.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
from collections.abc import Callable

from pastebox.process.loop import Loop

log = logging.getLogger("pastebox.master")

_PIECE = 1 << 16
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_SHORT = 4096
"""What a debugger says of its state is no longer than this."""
_GOING = frozenset({"continue", "next", "stepIn", "stepOut", "reverseContinue", "goto"})
_FAREWELL_S = 5.0
"""How long a client that was told to attach again may take to leave."""


class Words:
    """What the debugger tells its client: whether it stands, and where a word may come between."""

    def __init__(self) -> None:
        self.is_paused = False
        self._rest = b""

    @property
    def is_between(self) -> bool:
        """Whether no message is half said."""
        return not self._rest

    def hear(self, data: bytes) -> None:
        """Take what was said."""
        self._rest += data
        while True:
            head, separator, body = self._rest.partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            size = int(length[1]) if length else 0
            if not separator or len(body) < size:
                return
            self._rest = body[size:]
            if size <= _SHORT:
                self._take(body[:size])

    def _take(self, body: bytes) -> None:
        with contextlib.suppress(ValueError):
            message = json.loads(body)
            event = message.get("event")
            if event == "stopped":
                self.is_paused = True
            elif event in ("continued", "terminated", "exited") or (
                message.get("command") in _GOING and message.get("success")
            ):
                self.is_paused = False


class _Pipe:
    """One direction of a connection, as fast as the slower side."""

    def __init__(
        self,
        loop: Loop,
        source: socket.socket,
        sink: socket.socket,
        *,
        hear: Callable[[bytes], None],
        end: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._source = source
        self._sink = sink
        self._hear = hear
        self._end = end
        self._waiting = b""
        loop.on_readable(source.fileno(), self._read)

    def say(self, data: bytes) -> None:
        """Send more."""
        self._waiting += data
        self._write()

    def _read(self) -> None:
        try:
            data = self._source.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        self._waiting += data
        self._write()
        self._hear(data)

    def _write(self) -> None:
        try:
            sent = self._sink.send(self._waiting)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._end()
            return
        self._waiting = self._waiting[sent:]
        is_full = bool(self._waiting)
        self._loop.on_writable(self._sink.fileno(), self._write if is_full else None)
        self._loop.on_readable(self._source.fileno(), None if is_full else self._read)


class _Client:
    """One attached client, and the generation whose debugger it talks with."""

    def __init__(self, loop: Loop, near: socket.socket, far: socket.socket, number: int) -> None:
        self.generation = number
        self.words = Words()
        self.is_over = self.is_told = self._is_wanted = False
        self._sockets = (near, far)
        self._loop = loop
        _Pipe(loop, near, far, hear=lambda _data: None, end=self.close)
        self._down = _Pipe(loop, far, near, hear=self._heard, end=self.close)

    def move(self) -> None:
        """Have it attach again as soon as it does not stand at a breakpoint."""
        self._is_wanted = True
        self._tell()

    def close(self) -> None:
        """End both sides."""
        if not self.is_over:
            self.is_over = True
            for one in self._sockets:
                self._loop.forget(one.fileno())
                one.close()

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked child."""
        for one in self._sockets:
            one.close()

    def _heard(self, data: bytes) -> None:
        self.words.hear(data)
        self._tell()

    def _tell(self) -> None:
        words = self.words
        if self.is_told or not self._is_wanted or words.is_paused or not words.is_between:
            return
        self.is_told = True
        event = {"seq": 0, "type": "event", "event": "terminated", "body": {"restart": True}}
        body = json.dumps(event).encode()
        self._loop.call_later(_FAREWELL_S, self.close)
        self._down.say(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


class Relay:
    """The listening end, and the clients.

    Args:
        loop: the master's.
        listener: bound and listening; closed with this object.
        where: gives generation and port of the debugger for a newcomer, if there is one yet.
    """

    def __init__(
        self,
        loop: Loop,
        listener: socket.socket,
        where: Callable[[], tuple[int, int] | None],
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._where = where
        self._early: list[socket.socket] = []
        self._clients: list[_Client] = []
        listener.setblocking(False)
        loop.on_readable(listener.fileno(), self._accept)

    def is_paused(self, generation: int) -> bool:
        """Whether a client stands at a breakpoint there."""
        return any(
            one.words.is_paused and not one.is_over
            for one in self._clients
            if one.generation == generation
        )

    def move(self, generation: int) -> None:
        """Have clients of every other generation attach again."""
        for client in self._clients:
            if client.generation != generation:
                client.move()

    def retry(self) -> None:
        """Lead those who came before there was a debugger."""
        early, self._early = self._early, []
        for near in early:
            self._lead(near)

    def close(self) -> None:
        """Let everybody go."""
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for client in self._clients:
            client.close()
        for near in self._early:
            near.close()

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked child."""
        self._listener.close()
        for client in self._clients:
            client.close_in_child()
        for near in self._early:
            near.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            near, _ = self._listener.accept()
            near.setblocking(False)
            self._lead(near)

    def _lead(self, near: socket.socket) -> None:
        self._clients = [one for one in self._clients if not one.is_over]
        place = self._where()
        if place is None:
            self._early.append(near)
            return
        generation, port = place
        far = socket.socket(socket.AF_INET)
        try:
            far.connect(("127.0.0.1", port))  # it listens: this takes no time
        except OSError as error:
            log.warning("the debugger is not reached generation=%d error=%s", generation, error)
            near.close()
            far.close()
            return
        far.setblocking(False)
        self._clients.append(_Client(self._loop, near, far, generation))
        log.info("debugger attached generation=%d", generation)
