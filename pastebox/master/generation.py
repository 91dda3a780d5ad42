"""A generation: the set of workers that run one state of the configuration and of the code."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from enum import Enum

from pastebox.master.prepare import Prepared
from pastebox.master.worker import Worker


class State(Enum):
    """Where a generation is in its life; it only moves forward."""

    LOADING = "loading"
    SERVING = "serving"
    DRAINING = "draining"


class Generation:
    """Workers that were started together, and those that replaced them."""

    def __init__(self, number: int, prepared: Prepared, sockets: Sequence[socket.socket]) -> None:
        self.number = number
        self.prepared = prepared
        self.sockets = tuple(sockets)
        self.state = State.LOADING
        self.workers: dict[int, Worker] = {}  # by pid
        self.has_failed = False  # it never served
        self.cut = 0  # requests that its drain did not wait for

    @property
    def is_ready(self) -> bool:
        """Whether every worker has loaded the application."""
        return bool(self.workers) and all(worker.is_ready for worker in self.workers.values())

    def order_lame(self) -> None:
        """Have every worker close connections after their answers."""
        for worker in self.workers.values():
            worker.order_lame()

    def order_drain(self, seconds: float) -> None:
        """Have every worker stop accepting and end within ``seconds``."""
        self.state = State.DRAINING
        for worker in self.workers.values():
            worker.order_drain(seconds)

    def signal(self, number: int) -> None:
        """Send every worker a signal."""
        for worker in self.workers.values():
            worker.signal(number)
