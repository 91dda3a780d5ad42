"""What the master shows its workers while one develops: the error that keeps new code away.

A few kilobytes of shared memory with one writer. Readers ask for every page, so the usual answer,
nothing is wrong, is one look at one number.
"""

from __future__ import annotations

import mmap
import struct

from pastebox.process.shared import unnamed_file

_SIZE = 1 << 16
_HEAD = struct.Struct("QQ")  # version, length; a version that is odd is being written
_PAGES = struct.Struct("QQ")  # number, generation
_TEXT_AT = _HEAD.size + _PAGES.size
MOST = _SIZE - _TEXT_AT


class Board:
    """The memory, from either side; ``descriptor`` can be passed on."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = unnamed_file(_SIZE) if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, _SIZE)

    def write(self, text: str) -> None:
        """Show a text; an empty one says that all is well. The end of a long one matters most."""
        data = text.encode("utf-8", "replace")[-MOST:]
        version, _ = _HEAD.unpack_from(self._memory)
        _HEAD.pack_into(self._memory, 0, version + 1, 0)
        self._memory[_TEXT_AT : _TEXT_AT + len(data)] = data
        _HEAD.pack_into(self._memory, 0, version + 2, len(data))

    def outdate(self, number: int, generation: int) -> None:
        """Call the pages with another number outdated, and those of the generations before."""
        _PAGES.pack_into(self._memory, _HEAD.size, number, generation)

    @property
    def number(self) -> int:
        """How often browsers were told to load their page again."""
        return int(_PAGES.unpack_from(self._memory, _HEAD.size)[0])

    @property
    def generation(self) -> int:
        """The generation that serves; one before it may still be answering."""
        return int(_PAGES.unpack_from(self._memory, _HEAD.size)[1])

    def read(self) -> str:
        """Return the text; empty when all is well."""
        while True:
            version, length = _HEAD.unpack_from(self._memory)
            if not length:
                return ""
            data = self._memory[_TEXT_AT : _TEXT_AT + length]
            if version % 2 == 0 and _HEAD.unpack_from(self._memory)[0] == version:
                return data.decode("utf-8", "replace")
