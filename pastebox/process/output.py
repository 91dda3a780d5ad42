"""Standard output and standard error in a file, which can be moved away and opened anew."""

from __future__ import annotations

import os
import stat
import sys

from pastebox.errors import PasteboxError
from pastebox.process.atomic import creation_error

_STDOUT, _STDERR = 1, 2
_file: list[str] = []
"""The file of this process and of what is forked from it; empty while nothing was redirected."""


def open_log(path: str) -> int:
    """Open a log file for appending; return its descriptor.

    Raises:
        NoPermissionError: it cannot be written.
        CannotCreateError: its directory is not there, or another error of the operating system.
    """
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise creation_error(path, error) from error


def redirect(path: str) -> None:
    """Have everything that this process and its children print in ``path`` from now on.

    Raises:
        PasteboxError: see :func:`open_log`.
    """
    path = os.path.abspath(path)
    descriptor = open_log(path)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.dup2(descriptor, _STDOUT)
    os.dup2(descriptor, _STDERR)
    os.close(descriptor)
    _file[:] = [path]


def reopen() -> PasteboxError | None:
    """Open the file again after a rotation; return why not, and then the old one goes on."""
    try:
        for path in _file:
            redirect(path)
    except PasteboxError as error:
        return error
    return None


class Tail:
    """What comes to a log file from now on, for somebody who waits beside it.

    Raises:
        PasteboxError: see :func:`open_log`.
    """

    def __init__(self, path: str) -> None:
        os.close(open_log(path))
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.can_be_read = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        if self.can_be_read:
            os.lseek(self._descriptor, 0, os.SEEK_END)

    def show(self) -> None:
        """Write what has come to standard error."""
        while self.can_be_read and (data := os.read(self._descriptor, 65536)):
            sys.stderr.buffer.write(data)
            sys.stderr.flush()
