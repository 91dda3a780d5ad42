"""Linux's inotify(7) by ctypes: a descriptor that tells in which directory something happened."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

_CLOSE_WRITE, _ATTRIB = 0x8, 0x4
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_ONLYDIR, _MASK_ADD = 0x01000000, 0x20000000
_Q_OVERFLOW, _IGNORED, _ISDIR = 0x4000, 0x8000, 0x40000000
_NAMES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
"""A directory that only has to be there: what is written in it, such as a log, wakes nobody."""
_CONTENTS = _NAMES | _CLOSE_WRITE | _ATTRIB
"""No MODIFY: who writes a file that matters closes it, and who appends to a log does not."""
_HEAD = struct.Struct("iIII")
_NONBLOCK = os.O_NONBLOCK
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


class Hint(NamedTuple):
    """Something happened to ``name`` in ``directory``; an empty name is the directory itself.

    An empty directory says that events were lost.
    """

    directory: str
    name: str
    is_directory: bool


class Inotify:
    """Watches directories.

    Raises:
        OSError: the kernel has none, or this user has no more (EMFILE).
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        try:
            self._add = library.inotify_add_watch
            descriptor = library.inotify_init1(_NONBLOCK | _CLOEXEC)
        except AttributeError:
            raise OSError(errno.ENOSYS, "the C library has no inotify") from None
        if descriptor < 0:
            raise _error()
        self._descriptor = int(descriptor)
        self._directories: dict[int, set[str]] = {}  # one directory may have several names

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._descriptor

    def watch(self, directory: str, *, names_only: bool = False) -> bool:
        """Watch a directory, again if it has been replaced; false where it is not there.

        With ``names_only``, what comes, goes and is renamed in it is told, and no write.

        Raises:
            OSError: ENOSPC: this user has no more watches.
        """
        mask = (_NAMES if names_only else _CONTENTS) | _ONLYDIR | _MASK_ADD
        number = self._add(self._descriptor, os.fsencode(directory), mask)
        if number >= 0:
            self._directories.setdefault(number, set()).add(directory)
            return True
        error = _error()
        if error.errno in (errno.ENOSPC, errno.ENOMEM):
            raise error
        return False

    def read(self) -> list[Hint]:
        """Return what has happened since the last call."""
        hints: list[Hint] = []
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return hints
            at = 0
            while at < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
                at += length
                if mask & _Q_OVERFLOW:
                    hints.append(Hint("", "", False))
                is_directory = bool(mask & _ISDIR) or not name
                hints += [
                    Hint(one, name, is_directory) for one in self._directories.get(number, ())
                ]
                if mask & _IGNORED:
                    self._directories.pop(number, None)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
