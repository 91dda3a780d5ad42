"""``wsgi.input`` over granian's: whose ``readline`` takes no size and leaves the line end out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Input:
    """The body of a request, to be read as PEP 3333 has it; costs nothing until it is read."""

    __slots__ = ("_body", "_opened")

    _opened: io.BufferedReader[_Raw]

    def __init__(self, body: Any) -> None:
        self._body = body

    @property
    def _reader(self) -> io.BufferedReader[_Raw]:
        try:
            return self._opened
        except AttributeError:
            self._opened = io.BufferedReader(_Raw(self._body))
            return self._opened

    def read(self, size: int | None = -1) -> bytes:
        """Return that many bytes, or what is left."""
        return self._reader.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return a line with its end, or the beginning of one."""
        return self._reader.readline(size)

    def readlines(self, hint: int = -1) -> list[bytes]:
        """Return the lines that are left, or about as many bytes as the hint says."""
        return self._reader.readlines(hint)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._reader)


class _Raw(io.RawIOBase):
    """What granian has, as Python's own buffers want it."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        data: bytes = self._body.read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        data: bytes = self._body.read()
        return data
