"""What systemd is told where it waits for it: sd_notify(3), and sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.notify import Notifier


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

    def _watch(self) -> None:
        if not self._status.dead_reason:
            self.tell(WATCHDOG=1)
        self._loop.call_later(self._interval_s, self._watch)
