"""The client's side of AJP 1.3: CPING, then one GET request, and the answer to it."""

from __future__ import annotations

from pastebox.health import ajp
from pastebox.health.ajp import ForwardRequest, PacketReader
from pastebox.health.ajp_parts import PACKET_MOST
from pastebox.health.http import EXCERPT_LIMIT, ProtocolError, Response, check_request

_OK = 200


def request_bytes(
    path: str, host: str, headers: tuple[tuple[str, str], ...] = (), *, secret: str = ""
) -> bytes:
    """Return a CPING and a whole GET request; of an empty ``path`` the CPING alone.

    Raises:
        ValueError: the path or a header cannot be written in a request.
    """
    if not path:
        return ajp.cping()
    check_request(path, host, headers)
    uri, mark, query = path.partition("?")
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        name, port = host, "80"
    attributes = {"query_string": query} if mark else {}
    if secret:
        attributes["secret"] = secret
    request = ForwardRequest(
        "GET",
        uri,
        remote_addr="127.0.0.1",
        remote_host="127.0.0.1",
        server_name=name,
        server_port=int(port),
        headers=[("host", host), ("user-agent", "pastebox-health"), *headers],
        attributes=attributes,
    )
    return ajp.cping() + ajp.encode_forward_request(request)


class ResponseParser:
    """Is fed with what arrives, and returns the response once enough of it is there.

    Args:
        excerpt_limit: the most bytes of the body to keep.
        is_ping_only: whether the CPONG is all that is waited for.
    """

    __slots__ = ("_body", "_has_pong", "_head", "_is_ping_only", "_limit", "_reader")

    def __init__(self, *, excerpt_limit: int = EXCERPT_LIMIT, is_ping_only: bool = False) -> None:
        self._reader = PacketReader(ajp.TO_FRONT_END, PACKET_MOST)
        self._limit = excerpt_limit
        self._is_ping_only = is_ping_only
        self._has_pong = False
        self._head: tuple[int, str, dict[str, str]] | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes, or ``b""`` for the end of the stream.

        Raises:
            ProtocolError: this is not AJP, is too long, or ended too early.
        """
        if not data:
            if not self._has_pong:
                raise ProtocolError("closed without an answer to CPING")
            raise ProtocolError("closed before the end of the response")
        for payload in self._reader.feed(data):
            response = self._take(payload)
            if response is not None:
                return response
        return None

    def _take(self, payload: bytes) -> Response | None:
        kind = payload[0] if payload else 0
        if not self._has_pong:
            if kind != ajp.CPONG:
                raise ProtocolError("the answer to CPING is not CPONG")
            self._has_pong = True
            is_whole = self._is_ping_only
            return Response(_OK, "CPONG", {}, b"", is_truncated=False) if is_whole else None
        if kind == ajp.SEND_HEADERS:
            status, reason, headers = ajp.read_send_headers(payload)
            self._head = (status, reason, {name.lower(): value for name, value in headers})
        elif kind == ajp.SEND_BODY_CHUNK:
            self._body += ajp.read_send_body_chunk(payload)
            if len(self._body) > self._limit:
                return self._response(is_truncated=True)
        elif kind == ajp.END_RESPONSE:
            ajp.read_end_response(payload)
            return self._response(is_truncated=False)
        elif kind != ajp.GET_BODY_CHUNK:  # which is for naught: the request had no body
            raise ProtocolError(f"a packet of type {kind}")
        return None

    def _response(self, *, is_truncated: bool) -> Response:
        if self._head is None:
            raise ProtocolError("the response has no head")
        status, reason, headers = self._head
        body = bytes(self._body[: self._limit])
        return Response(status, reason, headers, body, is_truncated=is_truncated)
