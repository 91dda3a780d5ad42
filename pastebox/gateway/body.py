"""The body of a request: received whole before the application runs, in memory or in a file.

What the application reads is then an ordinary binary file, so every style of reading works and
none can block.
"""

from __future__ import annotations

import io
from typing import BinaryIO

from pastebox.gateway.limits import BODY_IN_MEMORY


class Body:
    """Collects what arrives; the I/O thread writes, then the application reads."""

    __slots__ = ("_file", "_parts", "size")

    def __init__(self) -> None:
        self.size = 0
        self._parts: list[bytes] = []
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Append; what outgrows the memory goes to a temporary file without a name.

        Raises:
            OSError: there is no room for the file.
        """
        self.size += len(data)
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        if self.size > BODY_IN_MEMORY:
            import tempfile  # noqa: PLC0415  # most bodies are small

            self._file = tempfile.TemporaryFile(prefix="pastebox-body-")  # noqa: SIM115  # closed with the request
            self._file.writelines(self._parts)
            self._parts.clear()

    def opened(self) -> BinaryIO:
        """Return the body as a file at its beginning."""
        if self._file is None:
            return io.BytesIO(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give memory and file back."""
        self._parts.clear()
        if self._file is not None:
            self._file.close()
