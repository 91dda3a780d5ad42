"""What can be done to a service in the background: stop it, have it load anew."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Self

from pastebox.errors import NoPermissionError
from pastebox.process.deadline import Deadline
from pastebox.process.notify import NotifyReceiver
from pastebox.process.pidfile import inspect, started_at

_TURN_S = 0.05


class Service:
    """The process that holds a PID file; a context manager, which keeps its number its own.

    Args:
        pid_file: the file.
        pid: who holds it.
    """

    def __init__(self, pid_file: str, pid: int) -> None:
        self.pid = pid
        self._handle = -1
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._handle = os.pidfd_open(pid)
        # Only now is it certain that the number is not another's by now, and cannot become so.
        self.is_there = inspect(pid_file).pid == pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)

    def signal(self, number: int) -> None:
        """Send it a signal; it may be gone already.

        Raises:
            NoPermissionError: it is another user's.
        """
        try:
            if not self.is_there:
                return
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self.pid, number)
        except ProcessLookupError:
            self.is_there = False
        except PermissionError as error:
            raise NoPermissionError(
                f"cannot signal process {self.pid} as uid {os.geteuid()}: {error.strerror}",
                hint="do it as the user that it runs as, or as root",
            ) from error

    def wait(self, deadline: Deadline) -> bool:
        """Wait for its end; false when it is there at the deadline."""
        while self.is_there and not deadline.has_passed:
            self._look(min(deadline.remaining, 60.0))
        return not self.is_there

    def reload(self, told: NotifyReceiver, show: Callable[[], None]) -> int | None:
        """Have it load a new generation; return 0 or why it has none, ``None`` when it ends."""
        self.signal(signal.SIGHUP)
        is_ours = False
        while self.is_there:
            for message in told.receive():
                if message.pid != self.pid:
                    continue
                is_ready = message.fields.get("READY") == "1"
                is_ours = is_ours or message.fields.get("RELOADING") == "1"
                status = message.fields.get("X_PASTEBOX_EXIT", "")
                if (is_ready and is_ours) or (status and not is_ready):  # done, or ignored
                    show()
                    return int(status or 0)
            show()
            self._look(_TURN_S)
        return None

    def _look(self, seconds: float) -> None:
        """Wait for its end, or so long."""
        if self._handle >= 0:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            self.is_there = not poll.poll(1000 * seconds)
        else:
            time.sleep(min(seconds, _TURN_S))
            self.is_there = started_at(self.pid) is not None
