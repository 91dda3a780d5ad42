"""What the master gives a worker: its voice, its orders, its counters, its access log."""

import socket
from collections.abc import Callable
from typing import NamedTuple

from pastebox.observe.access import AccessRecord
from pastebox.observe.counters import Slot
from pastebox.process.notify import Notifier


class WorkerContext(NamedTuple):
    """A worker's side of the contract.

    Attributes:
        notify: says READY, STATUS, WATCHDOG to the master.
        orders: stream of orders from the master; its end means that the master is gone.
        counters: this worker's slot in the shared counters.
        access: renders an access-log line, or ``None`` when the log is off.
        drain_timeout_s: how long a drain without an order may take.
        generation: number of the generation this worker belongs to.
        workers: how many processes serve the same sockets.
        stuck_after_s: how long a request may run before it is reported; 0 for ever.
    """

    notify: Notifier
    orders: socket.socket
    counters: Slot
    access: Callable[[AccessRecord], str] | None
    drain_timeout_s: float
    generation: int
    workers: int
    stuck_after_s: float = 0.0
