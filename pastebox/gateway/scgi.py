"""SCGI: one request on each connection, whose end is the end of the answer."""

from __future__ import annotations

from collections.abc import Iterator

from pastebox.gateway.body import Body
from pastebox.gateway.limits import HEAD, PARAMETERS
from pastebox.gateway.request import Headers, Host, Octets, Request
from pastebox.health.cgi import response_head
from pastebox.health.scgi import HeadReader

_PIECE = 1 << 20


class ScgiReply:
    """A CGI response."""

    keeps_open = False

    def head(self, status: str, headers: Headers) -> bytes:
        """Return the ``Status`` line and the headers."""
        return response_head(status, headers)

    def parts(self, data: bytes) -> Iterator[Octets]:
        """Return slices, without copying."""
        if len(data) <= _PIECE:
            yield data
            return
        view = memoryview(data)
        for start in range(0, len(data), _PIECE):
            yield view[start : start + _PIECE]

    def end(self) -> bytes:
        """Return nothing: closing says it."""
        return b""

    def breach(self) -> bytes:
        """Return nothing: everything would be taken for the body."""
        return b""


class ScgiWire:
    """The receiving end."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._reader = HeadReader(HEAD, PARAMETERS)
        self._environ: dict[str, str] = {}
        self._body: Body | None = None
        self._left = 0
        self.is_midway = False
        self.has_head = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what follows the request is of no interest.

        Raises:
            ProtocolError: this is no SCGI request, or passes a limit.
        """
        if self._body is None:
            self.is_midway = True
            head = self._reader.feed(data)
            if head is None:
                return
            self.has_head = True
            self._body = Body()
            self._environ, self._left, data = head.headers, head.content_length, head.rest
        if self.is_midway:
            self._take(self._body, data)

    def _take(self, body: Body, data: bytes) -> None:
        if self._left and data:
            part = data[: self._left]
            body.write(part)
            self._left -= len(part)
        if self._left:
            return
        self.is_midway = False
        # SCGI has no way to say where a body without a length ends
        has_length = self._environ["CONTENT_LENGTH"]
        is_endless = not has_length and self._environ.get("HTTP_TRANSFER_ENCODING", "")
        refusal = "411 Length Required" if is_endless else ""
        self._host.begin(Request(self._environ, body, ScgiReply(), refusal=refusal))

    def close(self) -> None:
        """Give back what half a request holds."""
        if self._body is not None and self.is_midway:
            self._body.close()
