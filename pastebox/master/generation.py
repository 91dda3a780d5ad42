"""A generation: the set of workers that run one state of the configuration and of the code."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from pastebox.master.prepare import Prepared
from pastebox.master.worker import Worker

if TYPE_CHECKING:
    from pastebox.master.recycling import Recycling


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
        self.recycling: Recycling | None = None

    @property
    def is_ready(self) -> bool:
        """Whether every worker has loaded the application."""
        return bool(self.workers) and all(worker.is_ready for worker in self.workers.values())

    def free_place(self) -> int | None:
        """Return the first place that no worker has, or is about to leave; ``None`` if all have."""
        taken = {worker.place for worker in self.workers.values() if not worker.is_leaving}
        return next((one for one in range(self.prepared.processes) if one not in taken), None)

    def order_lame(self) -> None:
        """Have every worker close connections after their answers."""
        for worker in self.workers.values():
            worker.order_lame()

    def order_hold(self) -> None:
        """Have every worker leave newcomers in the queue."""
        for worker in self.workers.values():
            worker.order_hold()

    def order_resume(self) -> None:
        """Have every worker take newcomers again."""
        for worker in self.workers.values():
            worker.order_resume()

    def order_drain(self, seconds: float) -> None:
        """Have every worker stop accepting and end within ``seconds``."""
        self.state = State.DRAINING
        for worker in self.workers.values():
            worker.order_drain(seconds)
        self.dismiss()

    def dismiss(self) -> None:
        """End workers that are not ready: they have nothing to finish.

        One that has become ready this moment does not care for the signal, and obeys orders.
        """
        for worker in self.workers.values():
            if not worker.is_ready:
                worker.signal(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send every worker a signal."""
        for worker in self.workers.values():
            worker.signal(number)
