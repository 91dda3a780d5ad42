"""Events by the watchfiles package, where there is no inotify; its only importer.

Its notifications arrive in a thread of this process, which the watcher can afford.
"""

from __future__ import annotations

import os
import threading

from watchfiles._rust_notify import RustNotify

from pastebox.process.signals import pipe
from pastebox.watch.events import Hints

_STEP_MS = 20
_DEBOUNCE_MS = 100
_TIMEOUT_MS = 1000


class ForeignEvents:
    """The directories that are watched by the system's own means, such as FSEvents."""

    def __init__(self) -> None:
        self._read_end, self._write_end = pipe()
        self._directories: set[str] = set()
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._turn = 0

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._read_end

    def add(self, directory: str) -> None:
        """Watch a directory; the thread of the set before ends by itself."""
        if directory in self._directories or not os.path.isdir(directory):
            return
        self._directories.add(directory)
        self._turn += 1
        threading.Thread(
            target=self._listen, args=(self._turn, sorted(self._directories)), daemon=True
        ).start()

    def read(self) -> Hints:
        """Return where to look."""
        while True:
            try:
                if not os.read(self._read_end, 4096):
                    break
            except BlockingIOError:
                break
        with self._lock:
            seen, self._seen = self._seen, set()
        return Hints(
            {os.path.dirname(path) for path in seen if os.path.dirname(path) in self._directories},
            is_lost=False,
        )

    def close(self) -> None:
        """End the thread, and give the descriptors back."""
        self._turn += 1
        os.close(self._read_end)
        os.close(self._write_end)

    def _listen(self, turn: int, directories: list[str]) -> None:
        notify = RustNotify(directories, False, False, 0, False, True)  # its signature
        with notify:
            while turn == self._turn:
                changes = notify.watch(_DEBOUNCE_MS, _STEP_MS, _TIMEOUT_MS, None)
                if isinstance(changes, set) and changes:
                    with self._lock:
                        self._seen.update(path for _, path in changes)
                    os.write(self._write_end, b"x")
