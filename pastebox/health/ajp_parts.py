"""The parts that AJP 1.3 packets are made of: frames, numbers, texts, headers."""

from __future__ import annotations

from struct import Struct

from pastebox.health.http import ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from collections.abc import Iterable

    Pairs = list[tuple[str, str]]

TO_SERVER = b"\x12\x34"
TO_FRONT_END = b"AB"
PACKET_MOST = 65536
NUMBER = Struct(">H")
FRAME = Struct(">2sH")

_NULL = 0xFFFF  # in place of a text's length
_CODED = 0xA0  # the high byte of a header's code


def packet(payload: bytes, magic: bytes = TO_SERVER) -> bytes:
    """Return a payload with its frame.

    Raises:
        ValueError: it is longer than 65535 bytes.
    """
    if len(payload) >= PACKET_MOST:
        raise ValueError(f"a packet of {len(payload)} bytes, expected less than {PACKET_MOST}")
    return FRAME.pack(magic, len(payload)) + payload


class Cursor:
    """Reads the parts of a payload one after another."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Read one byte."""
        at = self._at
        if at >= len(self._data):
            raise ProtocolError("a packet is cut off")
        self._at = at + 1
        return self._data[at]

    def number(self) -> int:
        """Read a number of two bytes."""
        at = self._at
        if at + 2 > len(self._data):
            raise ProtocolError("a packet is cut off")
        self._at = at + 2
        return self._data[at] << 8 | self._data[at + 1]

    def text(self) -> str:
        """Read a text; one that is null is empty."""
        length = self.number()
        if length == _NULL:
            return ""
        start, end = self._at, self._at + length
        if end >= len(self._data):
            raise ProtocolError("a text is cut off")
        if self._data[end]:
            raise ProtocolError("a text does not end with a zero byte")
        self._at = end + 1
        return self._data[start:end].decode("latin-1")

    def headers(self, names: tuple[str, ...]) -> Pairs:
        """Read a count and as many headers; ``names`` are those that have a code."""
        return [(self._name(names), self.text()) for _ in range(self.number())]

    def _name(self, names: tuple[str, ...]) -> str:
        if self._at >= len(self._data) or self._data[self._at] != _CODED:
            return self.text()
        code = self.number() & 0xFF
        if not 0 < code < len(names):
            raise ProtocolError(f"a header of code {code}")
        return names[code]


def text(value: str) -> bytes:
    """Return a text with its length and the zero byte behind it."""
    data = value.encode("latin-1")
    if len(data) >= _NULL:
        raise ValueError(f"a text of {len(data)} bytes, expected less than {_NULL}")
    return NUMBER.pack(len(data)) + data + b"\0"


def header_bytes(headers: Iterable[tuple[str, str]], codes: dict[str, bytes]) -> bytes:
    """Return the count of the headers, and the headers."""
    parts: list[bytes] = []
    count = 0
    for name, value in headers:
        code = codes.get(name.lower())
        parts += (text(name) if code is None else code, text(value))
        count += 1
    if count >= PACKET_MOST:
        raise ValueError(f"{count} headers, expected less than {PACKET_MOST}")
    return b"".join((NUMBER.pack(count), *parts))
