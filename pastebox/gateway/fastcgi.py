"""FastCGI 1.0: several requests on a connection, one after another or at the same time.

Numbers in brackets are sections of the FastCGI 1.0 specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pastebox.gateway.body import Body
from pastebox.gateway.limits import HEAD, PARAMETERS, REQUESTS_PER_CONNECTION
from pastebox.gateway.request import Headers, Host, Octets, Request
from pastebox.health import fastcgi as codec
from pastebox.health.cgi import response_head
from pastebox.health.http import ProtocolError

_PIECE = 16 * 65528
"""Content of full records whose headers stay aligned."""
_ROLES = {codec.RESPONDER: "RESPONDER", codec.AUTHORIZER: "AUTHORIZER"}


class FastCgiReply:
    """A CGI response in STDOUT records of one request."""

    def __init__(self, number: int, *, keeps_open: bool) -> None:
        self.keeps_open = keeps_open
        self._number = number

    def head(self, status: str, headers: Headers) -> bytes:
        """Return the ``Status`` line and the headers."""
        return codec.stream(codec.STDOUT, self._number, response_head(status, headers))

    def parts(self, data: bytes) -> Iterator[Octets]:
        """Return full records, about a megabyte at a time."""
        if len(data) <= _PIECE:
            yield codec.stream(codec.STDOUT, self._number, data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _PIECE):
            yield codec.stream(codec.STDOUT, self._number, bytes(view[start : start + _PIECE]))

    def end(self) -> bytes:
        """Return the end of the stream and of the request."""
        return codec.record(codec.STDOUT, self._number) + codec.end_request(self._number)

    def breach(self) -> bytes:
        """Return a record of version 0: nginx takes the end of a connection for that of the answer.

        END_REQUEST has a status, but no front end looks at it.
        """
        return bytes(codec.HEADER_SIZE)


class Capacity(NamedTuple):
    """What the server says of itself to GET_VALUES [4.1]."""

    connections: int = 10_000
    requests: int = 10_000
    is_multiplexing: bool = True


class _Half:
    """A request whose parameters or body are on their way."""

    def __init__(self, role: int, *, keeps_open: bool) -> None:
        self.role = role
        self.keeps_open = keeps_open
        self.pairs: codec.PairsReader | None = codec.PairsReader(HEAD, PARAMETERS)
        self.environ: dict[str, str] = {}
        self.body = Body()


class FastCgiWire:
    """The receiving end."""

    def __init__(self, host: Host, capacity: Capacity | None = None) -> None:
        self._host = host
        self._capacity = capacity or Capacity()
        self._reader = codec.RecordReader()
        self._halves: dict[int, _Half] = {}
        self._running: dict[int, Request] = {}

    @property
    def is_midway(self) -> bool:
        """Whether a part of a request has come."""
        return bool(self._halves) or not self._reader.is_between

    @property
    def has_head(self) -> bool:
        """Whether the parameters of such a request are whole."""
        return any(half.pairs is None for half in self._halves.values())

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ProtocolError: this is not FastCGI, or passes a limit.
        """
        for kind, number, content in self._reader.feed(data):
            if number == 0:
                self._manage(kind, content)
            elif kind == codec.BEGIN_REQUEST:
                self._open(number, content)
            elif kind == codec.ABORT_REQUEST:
                self._abort(number)
            elif number in self._halves:
                self._take(kind, number, content)
            # else it belongs to a request that is refused, aborted or unknown [3.3]: ignored

    def close(self) -> None:
        """Give back what half a request holds, and have those that run given up."""
        for half in self._halves.values():
            half.body.close()
        self._halves.clear()
        for request in self._running.values():
            request.is_aborted = True

    def _manage(self, kind: int, content: bytes) -> None:
        if kind != codec.GET_VALUES:
            self._host.say(codec.unknown_type(kind))
            return
        capacity = self._capacity
        values = {
            codec.MAX_CONNS: str(capacity.connections),
            codec.MAX_REQS: str(capacity.requests),
            codec.MPXS_CONNS: "1" if capacity.is_multiplexing else "0",
        }
        self._host.say(codec.get_values_result(content, values))

    def _open(self, number: int, content: bytes) -> None:
        role, flags = codec.read_begin_request(content)
        self._forget_answered()
        if number in self._halves or number in self._running:
            raise ProtocolError(f"request {number} begins twice")
        is_busy = bool(self._halves or self._running)
        most = REQUESTS_PER_CONNECTION if self._capacity.is_multiplexing else 1
        keeps_open = bool(flags & codec.KEEP_CONN)
        if role not in _ROLES:
            self._refuse(number, codec.UNKNOWN_ROLE, keeps_open=keeps_open or is_busy)
        elif is_busy and len(self._halves) + len(self._running) >= most:
            kind = codec.OVERLOADED if self._capacity.is_multiplexing else codec.CANT_MPX_CONN
            self._refuse(number, kind, keeps_open=True)
        else:
            self._halves[number] = _Half(role, keeps_open=keeps_open)

    def _refuse(self, number: int, status: int, *, keeps_open: bool) -> None:
        self._host.say(codec.end_request(number, 0, status))
        if not keeps_open:
            self._host.finish()

    def _forget_answered(self) -> None:
        """Forget requests that have been answered: their numbers may be used again."""
        done = [number for number, request in self._running.items() if request.is_answered]
        for number in done:
            del self._running[number]

    def _abort(self, number: int) -> None:
        half = self._halves.pop(number, None)
        if half is not None:
            half.body.close()
            self._refuse(number, codec.REQUEST_COMPLETE, keeps_open=half.keeps_open)
        elif number in self._running:
            self._running[number].is_aborted = True

    def _take(self, kind: int, number: int, content: bytes) -> None:
        half = self._halves[number]
        if kind == codec.PARAMS and half.pairs is not None:
            pairs = half.pairs.feed(content)
            if pairs is not None:
                half.environ, half.pairs = dict(pairs), None
                if half.role == codec.AUTHORIZER:  # it has no body [6.3]
                    self._begin(number, half)
        elif kind == codec.STDIN and half.pairs is None:
            if content:
                half.body.write(content)
            else:
                self._begin(number, half)
        elif kind in (codec.PARAMS, codec.STDIN):
            raise ProtocolError("parameters and body are out of order")

    def _begin(self, number: int, half: _Half) -> None:
        del self._halves[number]
        environ = half.environ
        environ.setdefault("FCGI_ROLE", _ROLES[half.role])
        reply = FastCgiReply(number, keeps_open=half.keeps_open)
        request = Request(environ, half.body, reply, refusal=_length(environ, half.body.size))
        self._running[number] = request
        self._host.begin(request)


def _length(environ: dict[str, str], size: int) -> str:
    """Make the length true; return a status that refuses a body that is not as long as it says."""
    said = environ.get("CONTENT_LENGTH", "")
    if environ.get("FCGI_ROLE") == _ROLES[codec.AUTHORIZER]:
        environ["CONTENT_LENGTH"] = ""  # it may be told the length of a body that it is not sent
        return ""
    if said and (not (said.isascii() and said.isdigit()) or int(said[:19]) != size):
        return "400 Bad Request"
    if size and not said:  # sent in chunks: the end of the stream is the end of the body
        environ["CONTENT_LENGTH"] = str(size)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
    return ""
