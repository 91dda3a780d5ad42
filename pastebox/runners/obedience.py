"""The master's orders as calls, for a server that has a loop of its own or blocks in threads."""

from __future__ import annotations

import errno
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

from pastebox.runners.context import WorkerContext
from pastebox.runners.orders import DRAIN, HOLD, LAME, RESUME

HEARTBEAT_S = 5.0


class Servant(Protocol):
    """Who obeys."""

    def become_lame(self) -> None:
        """Answer with ``Connection: close`` from now on, but go on accepting."""
        ...

    def start_drain(self, seconds: float) -> None:
        """Stop accepting and end within ``seconds``; a second call can only make it sooner."""
        ...


class Orders:
    """The stream of orders; ``take`` it whenever ``fileno`` is readable."""

    def __init__(self, context: WorkerContext, servant: Servant) -> None:
        self._context = context
        self._servant = servant
        self._rest = b""
        context.orders.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._context.orders.fileno()

    def take(self) -> bool:
        """Obey what has come; false once the master is gone, which is an order to drain."""
        try:
            data = self._context.orders.recv(4096)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return True
            data = b""
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            if line + b"\n" == LAME:
                self._servant.become_lame()
            elif line + b"\n" in (HOLD, RESUME):
                hold = getattr(self._servant, "hold", None)  # not every server can
                if hold is not None:
                    hold(is_held=line + b"\n" == HOLD)
            elif line.startswith(DRAIN):
                self._servant.start_drain(float(line.split()[1]))
        if not data:
            self._servant.start_drain(self._context.drain_timeout_s)
        return bool(data)


class ObedientThread(threading.Thread):
    """Obeys beside a server that does not turn a loop of ours, and sends the heartbeat.

    Args:
        context: the worker's side of the contract.
        servant: whose methods are called in this thread.
        tick: called about ten times a second.
        is_alive_still: no heartbeat is sent while it says false.
    """

    def __init__(
        self,
        context: WorkerContext,
        servant: Servant,
        *,
        tick: Callable[[], None] = lambda: None,
        is_alive_still: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(name="pastebox-orders", daemon=True)
        self._context = context
        self._orders = Orders(context, servant)
        self._tick = tick
        self._is_alive_still = is_alive_still

    def run(self) -> None:
        """Wait for orders until the process ends."""
        poller = select.poll()
        poller.register(self._orders.fileno(), select.POLLIN)
        next_heartbeat = 0.0
        while True:
            if poller.poll(100) and not self._orders.take():
                poller.unregister(self._orders.fileno())
            self._tick()
            if time.monotonic() >= next_heartbeat and self._is_alive_still():
                next_heartbeat = time.monotonic() + HEARTBEAT_S
                self._context.notify.send(WATCHDOG=1)
