"""What a request's head must look like, whichever parser reads it afterwards (RFC 9112).

The parsers of waitress, cheroot and the standard library are lenient in different places. What
one of them reads otherwise than the front end before it, is a way to smuggle a request; so what
can be read in two ways is refused before they act on it.
"""

from __future__ import annotations

import re
from typing import Any

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_LINE = re.compile(
    rb"(?:(?:OPTIONS \*|CONNECT [^/\x00-\x20\x7f-\xff]++"
    rb"|" + _TOKEN + rb" (?:/|https?+://)[^\x00-\x20\x7f-\xff]*+) HTTP/1\.([01]))"
)
_FIELDS = re.compile(rb"(?:" + _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+\r\n")
_DIGITS = 18
"""Of a length, so that it is a size that a process can have."""
_LENGTH, _CODING, _HOST = b"\r\ncontent-length:", b"\r\ntransfer-encoding:", b"\r\nhost:"


def fault_of(head: bytes) -> str:
    """Return what is wrong with a head, its empty line included; nothing where all is well."""
    line, _, fields = head.partition(b"\r\n")
    first = _LINE.fullmatch(line)
    if first is None:
        return "malformed request line"
    if _FIELDS.fullmatch(fields) is None:
        return "malformed header line"
    fields = head[len(line) :].lower()
    if fields.count(_HOST) > 1:
        return "more than one Host"
    return _fault_of_framing(fields, is_old=first[1] == b"0")


def _fault_of_framing(fields: bytes, *, is_old: bool) -> str:
    """Return what is wrong with what the fields say of the body's end."""
    lengths, codings = fields.count(_LENGTH), fields.count(_CODING)
    if lengths + codings > 1:
        return "the end of the body is said in more than one way"
    if codings and is_old:
        return "Transfer-Encoding in HTTP/1.0"
    if lengths:
        value = fields.partition(_LENGTH)[2].partition(b"\r")[0]
        value = value.strip(b" \t")
        if not value.isdigit() or len(value) > _DIGITS:
            return "malformed Content-Length"
    return ""


class HeadLines:
    """A connection's input that remembers the lines of a head while a parser reads them.

    Everything but :meth:`readline` is the stream's own.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        self._is_open = False
        self._begins_line = True
        for name in ("read", "readinto1", "peek", "close"):
            setattr(self, name, getattr(stream, name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def begin(self) -> None:
        """A head is to follow."""
        self._pieces = []
        self._is_open = self._begins_line = True

    def readline(self, size: int = -1) -> bytes:
        """Read a line, or a piece of one."""
        piece: bytes = self._stream.readline(size)
        if self._is_open:
            is_empty = self._begins_line and piece in (b"\r\n", b"\n")
            self._begins_line = piece.endswith(b"\n")
            if self._pieces or not is_empty:  # one may stand before the request line
                self._pieces.append(piece)
                self._is_open = bool(piece) and not is_empty
        return piece

    def fault(self) -> str:
        """Return what is wrong with the head that was read."""
        return fault_of(b"".join(self._pieces))
