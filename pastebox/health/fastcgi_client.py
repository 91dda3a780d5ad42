"""The client's side of FastCGI: one GET request, and the answer to it."""

from __future__ import annotations

from pastebox.health import fastcgi
from pastebox.health.cgi import HeadParser, variables
from pastebox.health.fastcgi import PARAMS, STDIN, RecordReader, record
from pastebox.health.http import EXCERPT_LIMIT, BusyError, ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from pastebox.health.http import Response


def request_bytes(path: str, host: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Return a whole GET request that asks for the connection to be closed.

    Raises:
        ValueError: the path or a header cannot be written in a request.
    """
    params = fastcgi.encode_pairs(variables(path, host, headers))
    return b"".join(
        (
            fastcgi.begin_request(1),
            fastcgi.stream(PARAMS, 1, params),
            record(PARAMS, 1),
            record(STDIN, 1),
        )
    )


class ResponseParser:
    """Is fed with what arrives, and returns the response once enough of it is there."""

    __slots__ = ("_has_begun", "_head", "_reader")

    def __init__(self, *, excerpt_limit: int = EXCERPT_LIMIT) -> None:
        self._reader = RecordReader()
        self._head = HeadParser(excerpt_limit=excerpt_limit)
        self._has_begun = False

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes, or ``b""`` for the end of the stream.

        Raises:
            BusyError: the server has no room for the request now.
            ProtocolError: this is not FastCGI, is too long, or ended too early.
        """
        if not data:
            is_inside = self._has_begun or not self._reader.is_between
            raise ProtocolError(
                "closed before the end of the request" if is_inside else "closed without an answer"
            )
        for kind, request_id, content in self._reader.feed(data):
            self._has_begun = True
            response = self._take(kind, content) if request_id == 1 else None
            if response is not None:
                return response
        return None

    def _take(self, kind: int, content: bytes) -> Response | None:
        if kind == fastcgi.STDOUT:
            return self._head.feed(content) if content else None
        if kind != fastcgi.END_REQUEST:
            return None
        status = fastcgi.read_end_request(content)[1]
        if status in (fastcgi.OVERLOADED, fastcgi.CANT_MPX_CONN):
            raise BusyError("the server says that it is overloaded")
        if status != fastcgi.REQUEST_COMPLETE:
            raise ProtocolError(f"the request was refused with protocol status {status}")
        return self._head.feed(b"")
