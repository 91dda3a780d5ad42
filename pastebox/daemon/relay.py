"""What the application says to systemd, or to whoever started us in the background, passed on."""

import os
import time
from collections.abc import Callable, MutableMapping
from typing import Self

from pastebox.process.notify import Notifier, NotifyReceiver

PASSED_ON = frozenset({"READY", "RELOADING", "MONOTONIC_USEC", "STATUS", "ERRNO"})
"""What is true of the whole when it is true of the application; its end, for one, is not."""


class Relay:
    """A socket of ours for the application; supervisor's loop reads it like a dispatcher.

    Args:
        upstream: where we are listened to.
        directory: where the socket is, on systems that have it in the file system.
        interval_s: how often systemd's watchdog hears from us; 0 for never.
    """

    def __init__(self, upstream: str, directory: str, interval_s: float = 0.0) -> None:
        self.is_heard: Callable[[int], bool] = lambda _pid: False
        self._upstream = Notifier(upstream)
        self._receiver = NotifyReceiver(directory)
        self._interval_s = interval_s
        self._beats_at = 0.0

    @classmethod
    def take(cls, environ: MutableMapping[str, str], directory: str) -> Self | None:
        """Take from the environment what says that somebody listens; ``None`` where nobody does."""
        upstream = environ.pop("NOTIFY_SOCKET", "")
        microseconds = environ.pop("WATCHDOG_USEC", "")
        is_ours = environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        beats = int(microseconds) / 2e6 if is_ours and microseconds.isdecimal() else 0.0
        return cls(upstream, directory, beats) if upstream else None

    @property
    def address(self) -> str:
        """Where the application speaks."""
        return self._receiver.address

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._receiver.fileno()

    def readable(self) -> bool:
        """Whether the application may speak: always."""
        return True

    def writable(self) -> bool:
        """Nothing waits here."""
        return False

    def handle_read_event(self) -> None:
        """Pass on what was said."""
        for message in self._receiver.receive():
            fields = {name: text for name, text in message.fields.items() if name in PASSED_ON}
            if fields and self.is_heard(message.pid):
                self._upstream.send(**fields)

    def tell(self, **fields: object) -> None:
        """Say something of our own."""
        self._upstream.send(**fields)

    def beat(self) -> None:
        """Let the watchdog know that the loop turns, if it is time."""
        now = time.monotonic()
        if self._interval_s and now >= self._beats_at:
            self._beats_at = now + self._interval_s / 2
            self.tell(WATCHDOG=1)
