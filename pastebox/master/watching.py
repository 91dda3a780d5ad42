"""The watcher as the master sees it: a child that tells what has changed, line by line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from pastebox.process.child import start_child
from pastebox.process.loop import Loop
from pastebox.watch import link
from pastebox.watch.board import Board
from pastebox.watch.child import Plan, run_watcher

Message = dict[str, Any]


class Watching:
    """The running child.

    Args:
        loop: the master's.
        mode: ``auto``, ``events`` or ``poll``.
        in_child: gives up, in the child, what is the master's alone.
        tell: called with each message of the child.
        directory: for the socket, where there is no abstract name space.
    """

    def __init__(
        self,
        loop: Loop,
        plan: Callable[[int], Plan],
        *,
        in_child: Callable[[], None],
        tell: Callable[[Message], None],
        directory: str,
    ) -> None:
        self.board = Board()
        self._loop = loop
        self._tell = tell
        self._rest = b""
        listener, self.address = link.listen(directory)
        self._channel, theirs = socket.socketpair()
        what = plan(self.board.descriptor)

        def target() -> int:
            in_child()
            self._channel.close()
            return run_watcher(what, theirs, listener)

        self.pid = start_child(target, own_group=False)
        theirs.close()
        listener.close()
        self._channel.setblocking(False)
        loop.on_readable(self._channel.fileno(), self._read)

    def order(self, **fields: object) -> None:
        """Tell the child something; one that is gone need not know."""
        with contextlib.suppress(OSError):
            self._channel.send(json.dumps(fields).encode() + b"\n")

    def close_in_child(self) -> None:
        """Give the descriptor back in a forked child: its end must mean that the master is gone."""
        self._channel.close()

    def close(self) -> None:
        """End the child, and collect it."""
        self.forget()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def forget(self) -> None:
        """Stop listening to it."""
        if self._channel.fileno() >= 0:
            self._loop.forget(self._channel.fileno())
            self._channel.close()

    def _read(self) -> None:
        try:
            data = self._channel.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.forget()  # its end will be told by its wait status
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(json.loads(line))
