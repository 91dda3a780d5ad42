"""Asking a server over FastCGI, SCGI and AJP, to the last byte, on the codecs of ``health``."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator

from contract_wire import NOTHING, Place, Reply, headers_of

from pastebox.health import ajp, fastcgi, scgi
from pastebox.health.ajp_parts import PACKET_MOST
from pastebox.health.cgi import variables
from pastebox.health.http import ProtocolError

Body = bytes | Iterable[bytes] | None


class Connection:
    """A connection, and what has come on it."""

    def __init__(self, place: Place) -> None:
        self.sock = place.connect()

    def close(self) -> None:
        self.sock.close()


class Answer:
    """A response on its way. ``pieces`` gives the body's bytes and ends where the response does."""

    def __init__(self, status: int, headers: dict[str, str], pieces: Iterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int | None = None) -> bytes:
        """Return ``size`` bytes, or everything to the end."""
        parts, count = [self._rest], len(self._rest)
        while size is None or count < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            count += len(piece)
        data = b"".join(parts)
        self._rest = b"" if size is None else data[size:]
        return data if size is None else data[:size]


class Gateway:
    """What the clients of the three share."""

    name: str
    keeps = True
    has_chunks = True
    half: bytes
    garbage: tuple[bytes, ...] = (
        b"\xff" * 100,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0" * 40000,
    )

    def __init__(self, place: Place) -> None:
        self.place = place

    def connection(self) -> Connection:
        return Connection(self.place)

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        body: Body = None,
        *,
        on: Connection | None = None,
        **headers: str,
    ) -> Reply:
        """Ask, and read the response to its end."""
        connection = on or self.connection()
        with contextlib.ExitStack() as stack:
            if on is None:
                stack.enter_context(contextlib.closing(connection))
            try:
                answer = self.begin(method, path, body, on=connection, **headers)
            except ConnectionResetError:  # a reset takes what has come with it
                return Reply(NOTHING, {}, b"", is_whole=False)
            parts = []
            try:
                parts += iter(lambda: answer.read(1 << 16), b"")
                is_whole = True
            except (ConnectionError, ProtocolError):
                is_whole = False
            data = b"".join(parts)
            length = answer.headers.get("content-length")
            if length is not None and method != "HEAD" and int(length) != len(data):
                is_whole = False
            return Reply(answer.status, answer.headers, data, is_whole)

    def ask_raw(self, method: str, path: str = "/") -> Reply:
        """Ask; nothing hides a body here."""
        return self.ask(method, path)

    def begin(
        self, method: str, path: str, body: Body = None, *, on: Connection, **headers: str
    ) -> Answer:
        """Ask, and return a response that can be ``read`` as it comes."""
        raise NotImplementedError

    def request_bytes(self, path: str) -> bytes:
        """Return a GET request."""
        raise NotImplementedError

    def _variables(
        self, method: str, path: str, body: Body, headers: dict[str, str]
    ) -> dict[str, str]:
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        found = dict(variables(path, f"localhost:{self.place.port}", named))
        found["REQUEST_METHOD"] = method
        if "HTTP_CONTENT_TYPE" in found:
            found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE")
        del found["CONTENT_LENGTH"]
        if "HTTP_CONTENT_LENGTH" in found:  # said by the test, whose body comes in pieces
            found["CONTENT_LENGTH"] = found.pop("HTTP_CONTENT_LENGTH")
        elif isinstance(body, bytes):
            found["CONTENT_LENGTH"] = str(len(body))
        elif body is not None:
            found["HTTP_TRANSFER_ENCODING"] = "chunked"
        return found


def _pieces_of(body: Body) -> Iterable[bytes]:
    if body is None:
        return ()
    return (body,) if isinstance(body, bytes) else body


def _received(connection: Connection) -> Iterator[bytes]:
    return iter(lambda: connection.sock.recv(1 << 16), b"")


def _cgi_answer(pieces: Iterator[bytes]) -> Answer:
    data = b""
    for piece in pieces:
        data += piece
        if b"\r\n\r\n" in data:
            break
    else:
        raise ConnectionResetError(f"no answer: {data!r}")
    head, _, rest = data.partition(b"\r\n\r\n")
    headers = headers_of(head)
    status = int(headers.pop("status", "200").split()[0])
    return Answer(status, headers, itertools.chain((rest,) if rest else (), pieces))


class FastCgi(Gateway):
    """FastCGI; connections stay open where the test gives one."""

    name = "fastcgi"
    half = fastcgi.begin_request(1) + b"\1\4\0\1"

    def begin(
        self, method: str, path: str, body: Body = None, *, on: Connection, **headers: str
    ) -> Answer:
        on.sock.sendall(self._head(method, path, body, headers, fastcgi.KEEP_CONN))
        for piece in _pieces_of(body):
            on.sock.sendall(fastcgi.stream(fastcgi.STDIN, 1, piece))
        on.sock.sendall(fastcgi.record(fastcgi.STDIN, 1))
        return _cgi_answer(self._stdout(on))

    def request_bytes(self, path: str) -> bytes:
        return self._head("GET", path, None, {}, 0) + fastcgi.record(fastcgi.STDIN, 1)

    def _head(
        self, method: str, path: str, body: Body, headers: dict[str, str], flags: int
    ) -> bytes:
        pairs = self._variables(method, path, body, headers).items()
        params = fastcgi.stream(fastcgi.PARAMS, 1, fastcgi.encode_pairs(pairs))
        return fastcgi.begin_request(1, flags=flags) + params + fastcgi.record(fastcgi.PARAMS, 1)

    @staticmethod
    def _stdout(on: Connection) -> Iterator[bytes]:
        reader = fastcgi.RecordReader()
        for data in _received(on):
            for kind, _, content in reader.feed(data):
                if kind == fastcgi.STDOUT and content:
                    yield content
                elif kind == fastcgi.END_REQUEST:
                    return
        raise ConnectionResetError("the stream ended before the request")


class Scgi(Gateway):
    """SCGI, where the end of the connection is the end of the response."""

    name = "scgi"
    keeps = False
    has_chunks = False
    half = b"70:CONTENT_LENGTH\0000"
    garbage = (b"\xff" * 100, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"99999999:", b"3:abc;")

    def begin(
        self, method: str, path: str, body: Body = None, *, on: Connection, **headers: str
    ) -> Answer:
        if "Content_Length" not in headers:
            body = b"".join(_pieces_of(body))
        asked = self._variables(method, path, body, headers)
        on.sock.sendall(scgi.encode(asked.items(), int(asked.get("CONTENT_LENGTH", 0))))
        for piece in _pieces_of(body):
            on.sock.sendall(piece)
        return _cgi_answer(_received(on))

    def request_bytes(self, path: str) -> bytes:
        return scgi.encode(self._variables("GET", path, None, {}).items())


class Ajp(Gateway):
    """AJP 1.3: the server asks for the body, after a first piece where its length is known."""

    name = "ajp"
    half = ajp.TO_SERVER + b"\0\x50\2\2"

    def begin(
        self, method: str, path: str, body: Body = None, *, on: Connection, **headers: str
    ) -> Answer:
        on.sock.sendall(self._forward(method, path, body, headers))
        pieces = self._packets(body)
        if body and (isinstance(body, bytes) or "Content_Length" in headers):
            on.sock.sendall(next(pieces))
        events = self._events(on, pieces)
        status, found = next(events)
        return Answer(status, found, events)

    def request_bytes(self, path: str) -> bytes:
        return self._forward("GET", path, None, {})

    def _forward(self, method: str, path: str, body: Body, headers: dict[str, str]) -> bytes:
        uri, mark, query = path.partition("?")
        named = [(name.replace("_", "-").lower(), value) for name, value in headers.items()]
        if isinstance(body, bytes):
            named.append(("content-length", str(len(body))))
        elif body is not None and "Content_Length" not in headers:
            named.append(("transfer-encoding", "chunked"))
        request = ajp.ForwardRequest(
            method,
            uri,
            remote_addr="127.0.0.1",
            server_name="localhost",
            server_port=self.place.port,
            headers=[("host", f"localhost:{self.place.port}"), *named],
            attributes={"query_string": query} if mark else {},
        )
        return ajp.encode_forward_request(request)

    @staticmethod
    def _packets(body: Body) -> Iterator[bytes]:
        most = ajp.body_limit()
        for piece in _pieces_of(body):
            for start in range(0, len(piece), most):
                yield ajp.body_packet(piece[start : start + most])
        while True:
            yield ajp.body_packet(b"")

    @staticmethod
    def _events(on: Connection, pieces: Iterator[bytes]) -> Iterator:
        """Give the head, as a pair, and then the pieces of the body."""
        reader = ajp.PacketReader(ajp.TO_FRONT_END, PACKET_MOST)
        for data in _received(on):
            for payload in reader.feed(data):
                if payload[0] == ajp.GET_BODY_CHUNK:
                    on.sock.sendall(next(pieces))
                elif payload[0] == ajp.SEND_HEADERS:
                    status, _, headers = ajp.read_send_headers(payload)
                    yield status, {name.lower(): value for name, value in headers}
                elif payload[0] == ajp.SEND_BODY_CHUNK:
                    piece = ajp.read_send_body_chunk(payload)
                    if piece:
                        yield piece
                elif payload[0] == ajp.END_RESPONSE:
                    return
        raise ConnectionResetError("the stream ended before the response")
