"""Request bodies as ``wsgi.input``: a raw stream that ends where the body ends.

Put an ``io.BufferedReader`` on it, and every reading style of PEP 3333 is right.
"""

import io
import re
from typing import Any

_LONGEST_LINE = 1 << 12
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")


class BadBodyError(ConnectionAbortedError):
    """The client left before the end of its request, or what it sent is no body."""


class KnownLength(io.RawIOBase):
    """A body of ``length`` bytes on ``stream``, which goes on behind it.

    Reading raises :class:`BadBodyError` when the client leaves before the end.
    """

    def __init__(self, stream: Any, length: int) -> None:
        super().__init__()
        self._stream = stream
        self.left = length

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left on the stream."""
        return not self.left

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read some of it; 0 at the end."""
        room = memoryview(buffer).cast("B")[: self.left]
        if not room:
            return 0
        count = _some(self._stream, room)
        self.left -= count
        return count


class Chunked(io.RawIOBase):
    """A body in chunks on ``stream``, with trailers that are thrown away.

    Reading raises :class:`BadBodyError` when the client leaves before the end, and when what it
    sends are no chunks.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream
        self._left = 0
        self._is_first = True
        self.is_over: bool = False

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read some of it; 0 at the end."""
        room = memoryview(buffer).cast("B")
        if self.is_over or not room:
            return 0
        if not self._left:
            self._begin_chunk()
        if not self._left:
            return 0
        count = _some(self._stream, room[: self._left])
        self._left -= count
        return count

    def _begin_chunk(self) -> None:
        if not self._is_first and self._line():
            raise BadBodyError("a chunk of the request is longer than it said")
        self._is_first = False
        size = _SIZE.fullmatch(self._line())
        if size is None:
            raise BadBodyError("a chunk of the request has no size")
        self._left = int(size[1], 16)
        if not self._left:
            while self._line():
                pass
            self.is_over = True

    def _line(self) -> bytes:
        line: bytes = self._stream.readline(_LONGEST_LINE)
        if not line.endswith(b"\r\n"):
            raise BadBodyError("the chunks of the request do not end")
        return line[:-2]


def discard(body: KnownLength | Chunked, most: int) -> bool:
    """Read what is left, up to about ``most`` bytes; whether that was all."""
    room = bytearray(1 << 16)
    while most > 0 and not body.is_over:
        most -= body.readinto(room)
    return body.is_over


def _some(stream: Any, room: memoryview) -> int:
    count: int | None = stream.readinto1(room)
    if not count:
        raise BadBodyError("the client left before the end of its request")
    return count
