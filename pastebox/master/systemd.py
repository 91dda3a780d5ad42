"""What systemd is told where it waits for it: sd_notify(3), and sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from pastebox.master.generation import Generation
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.notify import Notifier

_LOOKS_PER_S = 50
_PATIENCE_S = 5


class Systemd:
    """The way to systemd, which is kept from the application: it would speak for the service.

    Where a watchdog is wanted, it hears from this process twice in its time, as long as the
    health port's ``/livez`` would say yes.
    """

    def __init__(self, environ: MutableMapping[str, str], loop: Loop, status: Status) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        self._notifier = Notifier(address) if address else None
        self._loop = loop
        self._status = status
        microseconds = environ.pop("WATCHDOG_USEC", "")
        is_ours = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._interval_s = int(microseconds) / 2e6 if microseconds.isdecimal() else 0.0
        if self._notifier is not None and is_ours and self._interval_s:
            self._watch()

    def tell(self, **fields: object) -> None:
        """Say something, if somebody listens; nobody answers."""
        if self._notifier is not None:
            self._notifier.send(**fields)

    def tell_serving(
        self, number: int, before: Generation | None, looks: int = _PATIENCE_S * _LOOKS_PER_S
    ) -> None:
        """Say that a generation serves, once newcomers can meet no other any more.

        The one before goes on accepting until it has read its order; after a while it is not
        waited for, as not every server tells that it has stopped.
        """
        if self._notifier is None or self._status.is_draining:
            return
        is_shared = before and any(one.is_accepting for one in before.workers.values())
        if is_shared and looks:
            self._loop.call_later(
                1 / _LOOKS_PER_S, lambda: self.tell_serving(number, before, looks - 1)
            )
        else:
            self.tell(READY=1, STATUS=f"serving generation {number}")

    def _watch(self) -> None:
        if not self._status.dead_reason:
            self.tell(WATCHDOG=1)
        self._loop.call_later(self._interval_s, self._watch)
