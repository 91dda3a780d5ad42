"""A waitress loop in this process, with real sockets, so that a test can look inside."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from app_process import wait_until

from pastebox.config.model import ServerSpec
from pastebox.observe.counters import Counters
from pastebox.runners.context import WorkerContext
from pastebox.runners.waitress_loop import WaitressLoop
from pastebox.runners.waitress_options import adjustments, check_options


class Notes:
    """A notifier that remembers."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []

    def send(self, **fields: object) -> None:
        self.sent.append(fields)


class Server:
    """The loop in a thread; ``stop()`` drains it."""

    def __init__(self, app, **options: str) -> None:
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.orders, theirs = socket.socketpair()
        self.counters = Counters(1)
        self.counters.take()
        self.notes = Notes()
        self.lines = []
        context = WorkerContext(
            notify=self.notes,
            orders=theirs,
            counters=self.counters.slot(0),
            access=self._access,
            drain_timeout_s=5.0,
            generation=1,
            workers=1,
        )
        spec = ServerSpec("waitress", "", "server:main", "a.ini", options, {}, {})
        adj = adjustments(spec, check_options(spec))
        self.loop = WaitressLoop(app, adj, [self.listener], context, is_multiprocess=False)
        self._theirs = theirs
        self.cut: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _access(self, record) -> str:
        self.lines.append(record)
        return f"{record.method} {record.target} {record.status}"

    def _run(self) -> None:
        self.cut = self.loop.run()

    def connect(self) -> socket.socket:
        one = socket.create_connection(("127.0.0.1", self.port), 30)
        one.settimeout(30)
        return one

    def ask(self, data: bytes) -> bytes:
        """Send and read to the end of the stream; ask for ``Connection: close``."""
        with self.connect() as one:
            one.sendall(data)
            with one.makefile("rb") as file:
                return file.read()

    def in_flight(self) -> int:
        return self.counters.total().in_flight

    def wait_channels(self, count: int) -> None:
        wait_until(lambda: len(self.loop.channels) == count, f"{count} channels")

    def stop(self, seconds: float = 5.0) -> int:
        with contextlib.suppress(OSError):  # it may have ended already
            self.orders.sendall(b"drain %.3f\n" % seconds)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.orders.close()
        self._theirs.close()
        self.listener.close()
        os.close(self.loop._wake_read)
        os.close(self.loop._wake_write)
        self.loop._poller.close()
        for channel in list(self.loop.channels.values()):  # what a process that ends gives back
            for buffer in channel.outbufs:
                buffer.close()
            channel.socket.close()
        return self.cut
