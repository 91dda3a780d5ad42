"""What every worker class of gunicorn's has of ours: the arbiter's orders, our signals, our voice.

gunicorn gives its worker classes one signal for a graceful end, TERM. Here TERM and INT belong to
the master, which gets them too when they go to the whole group, and the arbiter sends USR2. It
sends it again and again until the worker has ended: one that came while the worker was being
forked is lost, and each later one lets the worker look at its clock.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
import time
from typing import Any

from pastebox.observe.counters import Slot
from pastebox.observe.logs import reopen
from pastebox.process.stacks import Running
from pastebox.runners.gunicorn_request import Contained
from pastebox.runners.watch import tell_cut, watch_in

DRAIN_SIGNAL = signal.SIGUSR2


class Orders:
    """What the arbiter tells its workers, in memory that they share."""

    _STATE = struct.Struct("=d?")
    _HELD = _STATE.size

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._HELD + 1)

    def tell(self, *, lame: bool, deadline: float) -> None:
        """Set both words; ``deadline`` is monotonic, 0 while there is no drain."""
        self._STATE.pack_into(self._memory, 0, deadline, lame)

    def hold(self, *, is_held: bool) -> None:
        """Say whether newcomers are the next generation's."""
        self._memory[self._HELD] = is_held

    @property
    def held(self) -> bool:
        """Whether newcomers are left in the queue."""
        return bool(self._memory[self._HELD])

    @property
    def lame(self) -> bool:
        """Whether every answer shall close its connection."""
        return bool(self._memory[8])

    @property
    def deadline(self) -> float:
        """When a drain must be over; 0 while there is none."""
        found: float = self._STATE.unpack_from(self._memory)[0]
        return found


class Guided:
    """What every worker class of gunicorn gets: our signals, our voice to the arbiter.

    The arbiter sets ``orders``, ``voice``, ``slot`` and ``stuck_after_s`` before the fork.
    """

    orders: Orders
    voice: int
    slot: Slot
    slot_number: int
    stuck_after_s: float
    running: dict[int, Running]  # by thread
    alive: bool
    cfg: Any
    sockets: list[Any]
    booted: bool
    wsgi: Any
    drain_began = 0.0
    ends_since = 0.0  # by a drain or by max_requests, once ending_since() was asked
    is_aborted = False  # by gunicorn's own timeout
    has_told_losses = False

    def init_process(self) -> None:
        """Watch the requests, and serve."""
        self.running = {}
        watch_in(self.slot, self.stuck_after_s, lambda: list(self.running.values()))
        super().init_process()  # type: ignore[misc]  # gunicorn's, beside this class
        self._tell_losses()  # here if it ends at the deadline before it is told to look

    def load_wsgi(self) -> None:
        """Load the application, whose ``SystemExit`` shall end a request and not the worker."""
        super().load_wsgi()  # type: ignore[misc]  # gunicorn's, beside this class
        self.wsgi = Contained(self.wsgi, self)

    def handle_abort(self, number: int, frame: Any) -> None:
        """End by ``SystemExit``, as the arbiter's timeout wants it."""
        self.is_aborted = True
        super().handle_abort(number, frame)  # type: ignore[misc]  # as above

    def say(self, word: str) -> None:
        """Tell the arbiter; a line this short is written whole or not at all."""
        os.write(self.voice, f"{word} {os.getpid()}\n".encode())

    def init_signals(self) -> None:
        """Leave TERM and INT to the master, and take the arbiter's own."""
        super().init_signals()  # type: ignore[misc]  # gunicorn's, beside this class
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _pass_by)
        signal.signal(DRAIN_SIGNAL, self.handle_exit)
        signal.siginterrupt(DRAIN_SIGNAL, False)

    def handle_exit(self, number: int, frame: Any) -> None:
        """Begin to end, with what is left of the drain's time; while it loads, at once."""
        if not self.booted:
            sys.exit(0)
        deadline = self.orders.deadline
        if not self.drain_began:
            self.drain_began = time.monotonic()
            if deadline:
                self.cfg.settings["graceful_timeout"].value = max(0.0, deadline - self.drain_began)
        if deadline and time.monotonic() >= deadline:
            self._tell_losses()
        super().handle_exit(number, frame)  # type: ignore[misc]  # as above

    def _tell_losses(self) -> None:
        """Log what is about to be cut off, and where it is."""
        if self.has_told_losses or not self.is_draining:
            return
        self.has_told_losses = True
        tell_cut(list(self.running.values()))

    def handle_usr1(self, number: int, frame: Any) -> None:  # noqa: ARG002  # a signal handler
        """Open log files again."""
        reopen()

    def ending_since(self) -> float:
        """Return when its end began, by whatever: what a client has left of a grace counts from it.

        To be asked first when it has begun.
        """
        self.ends_since = self.ends_since or self.drain_began or time.monotonic()
        return self.ends_since

    @property
    def is_draining(self) -> bool:
        """Whether it ends because the server does, and not by ``max_requests``."""
        return bool(self.drain_began and self.orders.deadline)

    @property
    def takes_backlog(self) -> bool:
        """Whether it serves at its end who waits to be accepted, since nobody else will."""
        return self.is_draining and not self.orders.held


def _pass_by(number: int, frame: Any) -> None:
    """Do nothing: the master gets this signal too, and gives the orders."""
