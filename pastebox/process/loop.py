"""A selectors loop with timers: the only place where the master waits."""

from __future__ import annotations

import heapq
import itertools
import selectors
import time
from collections.abc import Callable

Callback = Callable[[], None]


class Timer:
    """A call in the future that can be taken back."""

    __slots__ = ("at", "callback")

    def __init__(self, at: float, callback: Callback) -> None:
        self.at = at
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Take it back; calling twice is harmless."""
        self.callback = None


class Loop:
    """Readiness of descriptors and timers, dispatched one callback at a time, in one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._running = False

    def on_readable(self, fd: int, callback: Callback | None) -> None:
        """Call ``callback`` whenever ``fd`` is readable; ``None`` ends that."""
        self._register(fd, selectors.EVENT_READ, callback)

    def on_writable(self, fd: int, callback: Callback | None) -> None:
        """Call ``callback`` whenever ``fd`` is writable; ``None`` ends that."""
        self._register(fd, selectors.EVENT_WRITE, callback)

    def _register(self, fd: int, event: int, callback: Callback | None) -> None:
        try:
            callbacks: dict[int, Callback] = dict(self._selector.get_key(fd).data)
            is_known = True
        except KeyError:
            callbacks, is_known = {}, False
        callbacks.pop(event, None)
        if callback is not None:
            callbacks[event] = callback
        events = sum(callbacks)
        if not events:
            if is_known:
                self._selector.unregister(fd)
        elif is_known:
            self._selector.modify(fd, events, callbacks)
        else:
            self._selector.register(fd, events, callbacks)

    def forget(self, fd: int) -> None:
        """End all interest in ``fd``; call it before closing the descriptor."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def call_later(self, seconds: float, callback: Callback) -> Timer:
        """Call ``callback`` once, ``seconds`` from now."""
        timer = Timer(self.clock() + seconds, callback)
        heapq.heappush(self._timers, (timer.at, next(self._order), timer))
        return timer

    def run(self) -> None:
        """Dispatch until :meth:`stop`."""
        self._running = True
        while self._running:
            self.step()

    def stop(self) -> None:
        """Let :meth:`run` return after the present callback."""
        self._running = False

    def step(self, longest: float | None = None) -> None:
        """Wait for one event or timer (``longest`` seconds at most) and dispatch what is due."""
        timeout = self._until_timer()
        if longest is not None:
            timeout = longest if timeout is None else min(timeout, longest)
        for key, events in self._selector.select(timeout):
            for event, callback in list(key.data.items()):
                if events & event and self._still_wants(key.fd, event, callback):
                    callback()
        self._run_due_timers()

    def _still_wants(self, fd: int, event: int, callback: Callback) -> bool:
        # An earlier callback of the same step may have ended this interest.
        key = self._selector.get_map().get(fd)
        return key is not None and key.data.get(event) is callback

    def _until_timer(self) -> float | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - self.clock())

    def _run_due_timers(self) -> None:
        now = self.clock()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                timer.callback()

    def close(self) -> None:
        """Give the selector's descriptor back; for a forked child as well."""
        self._selector.close()
