"""What a gateway does, told to the master: heartbeat, counters, access log."""

from __future__ import annotations

from pastebox.gateway.server import Gateway
from pastebox.gateway.traits import Finished
from pastebox.observe.access import AccessRecord
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.context import WorkerContext
from pastebox.runners.obedience import HEARTBEAT_S

_LOG_DELAY_S = 0.1
"""Longest time a line of the access log waits for company."""


class MasterObserver:
    """Satisfies ``pastebox.gateway.traits.Observer``; set ``gateway`` before the loop turns.

    Args:
        context: the worker's side of the contract.
        is_silent: the master hears nothing of this process, whose parent speaks for it.
    """

    gateway: Gateway

    def __init__(self, context: WorkerContext, *, is_silent: bool = False) -> None:
        self._notify = None if is_silent else context.notify
        self._counters = context.counters
        self._lines = AccessLines(context.access) if context.access is not None else None
        self._is_due = False
        self._next_write = self._next_heartbeat = 0.0

    def started(self) -> None:
        """Count a request."""
        self._counters.started()

    def finished(self, what: Finished) -> None:
        """Count its end and log it."""
        self._counters.finished(what.status, what.size, what.seconds)
        if self._lines is not None:
            self._lines.add(_record(what))
            if not self._is_due:
                self._is_due = True
                self.gateway.wake()

    def tick(self, now: float) -> float:
        """Send the heartbeat and write lines when they are due."""
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            if self._notify is not None:
                self._notify.send(WATCHDOG=1)
        wait = self._next_heartbeat - now
        if not self._is_due or self._lines is None:
            return wait
        if now >= self._next_write:
            self._next_write = now + _LOG_DELAY_S
            self._is_due = False
            self._lines.write()
            return wait
        return min(wait, self._next_write - now)

    def stopping(self) -> None:
        """Say that nothing is accepted any more."""
        if self._notify is not None:
            self._notify.send(STOPPING=1)

    def ended(self) -> None:
        """Write the last lines."""
        if self._lines is not None:
            self._lines.write()


def _record(what: Finished) -> AccessRecord:
    environ = what.environ
    get = environ.get
    target = get("REQUEST_URI", "")
    if not target:
        query = get("QUERY_STRING", "")
        target = get("SCRIPT_NAME", "") + get("PATH_INFO", "") + (f"?{query}" if query else "")
    return AccessRecord(
        remote=get("REMOTE_ADDR", ""),
        user=get("REMOTE_USER", "") or "-",
        time=what.began,
        method=get("REQUEST_METHOD", "-"),
        target=target,
        protocol=get("SERVER_PROTOCOL", "-"),
        status=what.status,
        size=what.size,
        referer=get("HTTP_REFERER", "-"),
        agent=get("HTTP_USER_AGENT", "-"),
        seconds=what.seconds,
        request_id=get("HTTP_X_REQUEST_ID", ""),
    )
