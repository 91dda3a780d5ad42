"""Clients that ask one server without a pause, and a strict account of what they lost."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from typing import Self

from app_process import PATIENCE_S

from pastebox.health.ask import probe_once
from pastebox.health.protocol import Protocol
from pastebox.health.target import tcp

_WARM_S = 0.2
"""A connection that was idle for longer may be closed at any time, and its request be repeated.

It is counted from the last request, since nobody knows when its answer lay in our kernel: a client
that a busy machine has held up must not accuse the server.
"""


class SteadyLoad:
    """Threads that ask for ``path`` by HTTP; a context manager that ends them.

    An answer takes ``takes_s`` of its own accord. ``counts`` has ``done``, ``lost`` and the pids
    that the answers name.
    """

    def __init__(
        self, port: int, path: str = "/pid", *, clients: int = 4, takes_s: float = 0.0
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.details: list[str] = []
        self._port = port
        self._path = path
        self._takes_s = takes_s
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let every client have its answer, and end."""
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    @property
    def pids(self) -> set[int]:
        """Processes that have answered."""
        with self._lock:
            return {int(name) for name in self.counts if name.isdigit()}

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        sent = 0.0
        while not self._is_over.is_set():
            is_fresh = connection is None
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
            before, sent = sent, 0.0
            try:
                connection.request("GET", self._path)
                sent = time.monotonic()
                response = connection.getresponse()
                told = response.read()
                self._count("done", *([told.decode()] if told.isdigit() else []))
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                idle_s = (sent or time.monotonic()) - before - self._takes_s
                if is_fresh or idle_s < _WARM_S:
                    self._count("lost")
                    self.details.append(f"{error!r} fresh={is_fresh} idle={idle_s:.3f}")
                continue
            if response.will_close:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _count(self, *names: str) -> None:
        with self._lock:
            self.counts.update(names)


class GatewayLoad(SteadyLoad):
    """The same in the protocol of a gateway, each request on a connection of its own."""

    protocol = "scgi"

    def _work(self) -> None:
        target, protocol = tcp("127.0.0.1", self._port), Protocol(self.protocol)
        while not self._is_over.is_set():
            result = probe_once(target, self._path, PATIENCE_S, (), protocol)
            if result.status == 200:
                self._count("done", *([result.body.decode()] if result.body.isdigit() else []))
            else:
                self._count("lost")
                self.details.append(result.reason)
