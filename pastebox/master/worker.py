"""The master's handle on one worker process."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Sequence

from pastebox.process.child import start_child
from pastebox.runners.orders import DRAIN, HOLD, LAME, RESUME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pastebox.runners.job import Job


Ahead = Callable[[Callable[[], bool]], None]


class Worker:
    """A worker: its pid, its slot in the counters, and the way to give it a job and orders."""

    def __init__(self, pid: int, orders: socket.socket) -> None:
        self.pid = pid
        self.slot = -1
        self.orders = orders
        self.place = 0  # among the workers of its generation
        self.is_ready = False
        self.is_accepting = True
        self.is_spent = False  # it has answered its number of requests
        self.is_leaving = False  # its successor serves

    def give(self, job: Job, counters: int, sockets: Sequence[socket.socket]) -> None:
        """Send it its job; one that has died meanwhile will be told by its wait status."""
        from pastebox.runners.job import send_job  # noqa: PLC0415  # not before the first fork

        self.slot = job.slot
        with contextlib.suppress(OSError):
            send_job(self.orders, job, counters, sockets)
        self.orders.setblocking(False)

    def dismiss(self) -> None:
        """Let a worker that has no job yet leave, and collect it."""
        self.orders.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def order_lame(self) -> None:
        """Have it close each connection after the answer."""
        self._order(LAME)

    def order_drain(self, seconds: float) -> None:
        """Have it stop accepting and end within ``seconds``."""
        self._order(DRAIN + b" %.3f\n" % seconds)

    def order_hold(self) -> None:
        """Have it leave newcomers in the queue."""
        self._order(HOLD)

    def order_resume(self) -> None:
        """Have it take newcomers again."""
        self._order(RESUME)

    def _order(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone: the wait status will say so
            self.orders.send(line)

    def signal(self, number: int) -> None:
        """Send it a signal; it may be gone already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def start_worker(in_child: Callable[[], None], ahead: Ahead | None = None) -> Worker:
    """Fork a blank worker, which imports what it will need and waits for its job.

    ``in_child`` gives up, on the other side of the fork, what is the master's alone; ``ahead`` is
    called in it to import more, until its argument says that the job is there.
    """
    ours, theirs = socket.socketpair()

    def target() -> int:
        in_child()
        ours.close()
        from pastebox.runners.worker import run_worker  # noqa: PLC0415  # in the child

        return run_worker(theirs, ahead)

    pid = start_child(target, own_group=False)
    theirs.close()
    return Worker(pid, ours)


def close_all(things: Iterable[socket.socket]) -> None:
    """Close sockets that the child must not hold: their other ends wait for the last close."""
    for thing in things:
        thing.close()
