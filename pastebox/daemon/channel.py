"""One output of a process on its way to the daemon's own."""

import os
from typing import Any

from supervisor.dispatchers import PDispatcher

from pastebox.daemon.output import Lines

_CHUNK = 65536


class OutputDispatcher(PDispatcher):  # type: ignore[misc]  # supervisor has no types
    """One channel of a process, as lines; it reads on after the process until nobody writes."""

    def __init__(self, process: Any, channel: str, fd: int, lines: Lines) -> None:
        super().__init__(process, channel, fd)
        self._lines = lines

    def readable(self) -> bool:
        """Whether there may be more, and there is room for it."""
        return not self.closed and not self._lines.is_held

    def writable(self) -> bool:
        """Nothing is written to it."""
        return False

    def handle_read_event(self) -> None:
        """Take one piece; at the end, close."""
        if self._read() == b"":
            self._lines.end()
            self.close()

    def drain(self) -> None:
        """Take everything that is there."""
        while not self.closed:
            data = self._read()
            if data is None:
                return
            if data == b"":
                self._lines.end()
                self.close()

    def finish(self) -> None:
        """Take everything that is there, and the line without an end."""
        self.drain()
        self._lines.end()
        self.close()

    def _read(self) -> bytes | None:
        try:
            data = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return None
        if data:
            self._lines.feed(data)
        return data

    def close(self) -> None:
        """Give the descriptor back if the process is gone; else it does that itself."""
        super().close()
        lingering = self.process.config.options.lingering
        if lingering.pop(self.fd, None) is not None:
            os.close(self.fd)
