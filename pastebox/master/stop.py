"""The way to the end: lame, still accepting, listeners closed, one deadline, exit status.

TERM or INT begins it; the second one ends it at once. The clock of the whole sequence is here,
so that a worker, whatever its runner, has only to obey.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable

from pastebox.master.fleet import Fleet
from pastebox.master.generation import State
from pastebox.process.loop import Loop, Timer

log = logging.getLogger("pastebox.master")

_KILL_AFTER_S = 2.0
"""How long after its deadline a worker may live: it ends itself at the deadline."""


class StopSequence:
    """One stop of one master."""

    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        refuse_newcomers: Callable[[], None],
        when_idle: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._fleet = fleet
        self._refuse_newcomers = refuse_newcomers
        self._when_idle = when_idle
        self._kill_timer: Timer | None = None
        self._is_draining = False

    def begin(self, reason: str) -> None:
        """Begin to stop; the second call stops at once."""
        if self._fleet.is_stopping:
            log.warning("stopping now reason=%s", reason)
            self._drain(0.0)
            return
        self._fleet.is_stopping = True
        self._fleet.drop_empty()
        serving = self._fleet.serving
        for generation in self._fleet.generations:
            if generation.state is State.LOADING:
                self._fleet.dismiss(generation)
        if not self._fleet.generations:
            self._when_idle()
            return
        settings = self._fleet.generations[0].prepared.settings
        log.info(
            "draining reason=%s delay=%gs timeout=%gs",
            reason,
            settings.drain_delay,
            settings.drain_timeout,
        )
        if serving is None:  # one that becomes ready this moment may have clients already
            self._drain(settings.drain_timeout)
            return
        serving.order_lame()
        if settings.drain_delay > 0:
            self._loop.call_later(
                settings.drain_delay, lambda: self._drain_unless_hurried(settings.drain_timeout)
            )
        else:
            self._drain(settings.drain_timeout)

    def _drain_unless_hurried(self, seconds: float) -> None:
        if not self._is_draining:
            self._drain(seconds)

    def _drain(self, seconds: float) -> None:
        """Take no newcomers, and have every worker end within ``seconds``."""
        if not self._is_draining:
            self._refuse_newcomers()
        self._is_draining = True
        for generation in self._fleet.generations:
            self._fleet.drain(generation, seconds)
            if generation.prepared.runner.info.owns_signals:
                generation.signal(signal.SIGTERM)
        self._kill_later(seconds + _KILL_AFTER_S)

    def _kill_later(self, seconds: float) -> None:
        if self._kill_timer is not None:
            self._kill_timer.cancel()
        self._kill_timer = self._loop.call_later(seconds, self._kill)

    def _kill(self) -> None:
        for generation in self._fleet.generations:
            for worker in generation.workers.values():
                log.error("worker killed: it did not end by the drain deadline pid=%d", worker.pid)
                self._fleet.cut += worker.is_ready
                worker.signal(signal.SIGKILL)
