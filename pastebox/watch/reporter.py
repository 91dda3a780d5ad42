"""The worker's word to the watcher: what it has imported, and why it could not."""

from __future__ import annotations

import sys
import time

from pastebox.watch import link, modules
from pastebox.watch.ahead import worth_importing
from pastebox.watch.board import Board

_MOST_TEXT = 30_000


class Reporter:
    """One worker's side; made before the application is loaded.

    Args:
        address: the watcher's.
    """

    def __init__(self, address: str) -> None:
        self.board: Board | None = None
        self._address = address
        self._began_ns = time.time_ns()
        self._library = modules.library_directories()
        self._count = 0
        self._told: set[str] = set()

    def loaded(self) -> None:
        """Tell what the application is made of."""
        self._tell_files(wants_board=True)

    def more(self) -> None:
        """Tell what was imported since; one comparison when nothing was."""
        if len(sys.modules) != self._count:
            self._tell_files(wants_board=False)

    def _tell_files(self, *, wants_board: bool) -> None:
        self._count = len(sys.modules)
        found = modules.look(sys.modules, self._library)
        new = [path for path in found.files if path not in self._told]
        if not new and not wants_board:
            return
        self._told.update(new)
        message = {
            "began_ns": self._began_ns,
            "files": new,
            "trees": found.trees,
            "others": worth_importing(found.others),
            "edited": found.names,
        }
        self._take_board(link.send(self._address, message, wants_board=wants_board))

    def failed(self, error: BaseException, text: str, *, wants_board: bool) -> None:
        """Tell why the application did not load, and what may mend it."""
        found = modules.look(sys.modules, self._library)
        files = modules.files_of_failure(error, self._library)
        trees = {*found.trees, *(modules.package_of(path) for path in files)} - {""}
        if isinstance(error, ModuleNotFoundError) and error.name:
            files += modules.files_of_missing(error.name, sys.path, self._library)
        message = {
            "began_ns": self._began_ns,
            "files": [*found.files, *files],
            "trees": sorted(trees),
            "failure": text[-_MOST_TEXT:],
        }
        self._take_board(link.send(self._address, message, wants_board=wants_board))

    def _take_board(self, descriptor: int | None) -> None:
        if descriptor is not None:
            self.board = Board(descriptor)
