"""First boot before anything is supervised, with the health port answering meanwhile."""

import contextlib
import logging
import os
import signal

from pastebox.boot.run import BootOutcome
from pastebox.errors import ExitCode
from pastebox.master import first_boot
from pastebox.master.head_start import HeadStart
from pastebox.master.health import Health
from pastebox.master.request import ServeRequest
from pastebox.observe import status as phases
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.signals import (
    STOPPING,
    SignalQueue,
    describe_status,
    ended_children,
    exit_code_of,
)

log = logging.getLogger("pastebox.daemon")


class Beginning:
    """One first boot: a child does it, and we answer on the health port and pass TERM on."""

    def __init__(self, request: ServeRequest, start: HeadStart, signals: SignalQueue) -> None:
        self.loop = Loop()
        self.status = Status()
        self.exit_code: int = ExitCode.OK
        self.outcome: BootOutcome | None = None
        self._signals = signals
        self._notify = start.notify
        self._health: Health | None = None
        self._is_stopping = False
        self.loop.on_readable(signals.fileno(), self._take_signals)
        self.loop.on_readable(start.notify.fileno(), self._take_notifications)
        self._child = first_boot.start_boot(
            request, start.located, start.settings, start.notify.address, self._in_child
        )
        if start.health is not None:
            self._health = Health(self.loop, self.status, start.health)

    def run(self) -> BootOutcome | None:
        """Wait for its end; return what it leaves, ``None`` where nothing is to be served."""
        try:
            self.loop.run()
        finally:
            self._close()
        return self.outcome

    def _in_child(self) -> None:
        self.loop.close()
        self._signals.forget()
        self._notify.close_in_child()
        if self._health is not None:
            self._health.close_in_child()

    def _close(self) -> None:
        if self._health is not None:
            self._health.close()
        self.loop.close()

    def _take_signals(self) -> None:
        for number in self._signals.take():
            if number in STOPPING:
                log.info("stopping during first boot reason=%s", signal.Signals(number).name)
                self._is_stopping = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._child.pid, signal.SIGTERM)
        self._reap()

    def _reap(self) -> None:
        self._take_notifications()
        for pid, status in ended_children():
            if pid == self._child.pid:
                self._ended(status)

    def _ended(self, status: int) -> None:
        outcome = first_boot.read_outcome(self._child)
        self.loop.stop()
        if self._is_stopping:
            return
        if outcome is None:
            self.status.enter(phases.FAILED, describe_status(status))
            self.exit_code = exit_code_of(status) or ExitCode.FAILURE
        elif outcome.ready:
            self.outcome = outcome

    def _take_notifications(self) -> None:
        for message in self._notify.receive():
            phase = message.fields.get(first_boot.PHASE)
            if phase in phases.PHASES and not self._is_stopping:
                self.status.enter(phase, message.fields.get("STATUS", ""))
