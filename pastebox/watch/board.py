"""What the master shows its workers while one develops: the error that keeps new code away.

A few kilobytes of shared memory with one writer. Readers ask for every page, so the usual answer,
nothing is wrong, is one look at one number.
"""

from __future__ import annotations

import mmap
import struct

from pastebox.process.shared import unnamed_file

_SIZE = 1 << 16
_HEAD = struct.Struct("QQQ")  # version, length, number; a version that is odd is being written
MOST = _SIZE - _HEAD.size


class Board:
    """The memory, from either side; ``descriptor`` can be passed on."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = unnamed_file(_SIZE) if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, _SIZE)

    def write(self, text: str) -> None:
        """Show a text; an empty one says that all is well. The end of a long one matters most."""
        data = text.encode("utf-8", "replace")[-MOST:]
        version, _, number = _HEAD.unpack_from(self._memory)
        _HEAD.pack_into(self._memory, 0, version + 1, 0, number)
        self._memory[_HEAD.size : _HEAD.size + len(data)] = data
        _HEAD.pack_into(self._memory, 0, version + 2, len(data), number)

    @property
    def number(self) -> int:
        """How often browsers were told to load their page again."""
        return int(_HEAD.unpack_from(self._memory)[2])

    @number.setter
    def number(self, number: int) -> None:
        version, length, _ = _HEAD.unpack_from(self._memory)
        _HEAD.pack_into(self._memory, 0, version, length, number)

    def read(self) -> str:
        """Return the text; empty when all is well."""
        while True:
            version, length, _ = _HEAD.unpack_from(self._memory)
            if not length:
                return ""
            data = self._memory[_HEAD.size : _HEAD.size + length]
            if version % 2 == 0 and _HEAD.unpack_from(self._memory)[0] == version:
                return data.decode("utf-8", "replace")
