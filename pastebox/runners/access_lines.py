"""The access log of a worker: lines wait for company and are written together."""

import os
import select
from collections import deque
from collections.abc import Callable

from pastebox.observe.access import AccessRecord

_PATIENCE_MS = 1000
"""How long a full pipe may hold the server up; then the lines are dropped, not the requests."""


class AccessLines:
    """Records from any thread, written by one.

    Args:
        render: makes a line of a record.
        descriptor: where they go, the standard output by default.
    """

    def __init__(self, render: Callable[[AccessRecord], str], descriptor: int = 1) -> None:
        self._render = render
        self._descriptor = descriptor
        self._records: deque[AccessRecord] = deque()
        self.add = self._records.append

    def __bool__(self) -> bool:
        return bool(self._records)

    def write(self) -> None:
        """Write what has come; a reader that is gone or stuck must not end the service."""
        lines = []
        while self._records:
            lines.append(self._render(self._records.popleft()))
        if not lines:
            return
        text = memoryview("\n".join(lines).encode("utf-8", "backslashreplace") + b"\n")
        while text:
            try:
                text = text[os.write(self._descriptor, text) :]
            except BlockingIOError:
                poller = select.poll()
                poller.register(self._descriptor, select.POLLOUT)
                if not poller.poll(_PATIENCE_MS):
                    return
            except OSError:  # nobody reads any more
                return
