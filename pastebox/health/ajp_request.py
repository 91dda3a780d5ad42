"""The AJP 1.3 packet by which a front end hands a request on."""

from __future__ import annotations

from pastebox.health.ajp_codes import (
    ATTRIBUTE_CODES,
    ATTRIBUTE_NAMES,
    METHOD_CODES,
    METHODS,
    REQUEST_HEADER_CODES,
    REQUEST_HEADERS,
)
from pastebox.health.ajp_parts import NUMBER, Cursor, header_bytes, packet, text
from pastebox.health.http import ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    Pairs = list[tuple[str, str]]

FORWARD_REQUEST = 2

_REQ_ATTRIBUTE = 0x0A
_SSL_KEY_SIZE = 0x0B
_NO_MORE = 0xFF
_STORED = 0xFF  # in place of a method's code


class ForwardRequest:
    """One request as a front end hands it on.

    Attributes:
        headers: in their order; names in lower case where they came as a code.
        attributes: by their names in the protocol: ``context``, ``servlet_path``, ``remote_user``,
            ``auth_type``, ``query_string``, ``jvm_route``, ``ssl_cert``, ``ssl_cipher``,
            ``ssl_session``, ``ssl_key_size``, ``secret``, ``stored_method``.
        request_attributes: what the front end's own settings add, for example
            ``AJP_REMOTE_PORT``.
    """

    __slots__ = (
        "attributes",
        "headers",
        "is_ssl",
        "method",
        "protocol",
        "remote_addr",
        "remote_host",
        "request_attributes",
        "server_name",
        "server_port",
        "uri",
    )

    def __init__(  # noqa: PLR0913  # as many as the protocol has
        self,
        method: str,
        uri: str,
        *,
        protocol: str = "HTTP/1.1",
        remote_addr: str = "",
        remote_host: str = "",
        server_name: str = "",
        server_port: int = 80,
        is_ssl: bool = False,
        headers: Pairs | None = None,
        attributes: dict[str, str] | None = None,
        request_attributes: dict[str, str] | None = None,
    ) -> None:
        self.method = method
        self.uri = uri
        self.protocol = protocol
        self.remote_addr = remote_addr
        self.remote_host = remote_host
        self.server_name = server_name
        self.server_port = server_port
        self.is_ssl = is_ssl
        self.headers = headers or []
        self.attributes = attributes or {}
        self.request_attributes = request_attributes or {}


def encode_forward_request(request: ForwardRequest) -> bytes:
    """Return the packet of a request.

    Raises:
        ValueError: it is longer than a packet can be, or holds what is not of latin-1.
    """
    attributes = dict(request.attributes)
    code = METHOD_CODES.get(request.method)
    if code is None:
        code, attributes["stored_method"] = _STORED, request.method
    parts = [
        bytes((FORWARD_REQUEST, code)),
        text(request.protocol),
        text(request.uri),
        text(request.remote_addr),
        text(request.remote_host),
        text(request.server_name),
        NUMBER.pack(request.server_port),
        bytes((request.is_ssl,)),
        header_bytes(request.headers, REQUEST_HEADER_CODES),
    ]
    for name, value in attributes.items():
        number = ATTRIBUTE_CODES[name]
        parts.append(bytes((number,)))
        parts.append(NUMBER.pack(int(value)) if number == _SSL_KEY_SIZE else text(value))
    for name, value in request.request_attributes.items():
        parts += (bytes((_REQ_ATTRIBUTE,)), text(name), text(value))
    return packet(b"".join((*parts, bytes((_NO_MORE,)))))


def decode_forward_request(payload: bytes) -> ForwardRequest:
    """Return the request that a payload holds.

    Raises:
        ProtocolError: the payload is none, is cut off, or has a code that does not exist.
    """
    cursor = Cursor(payload)
    if cursor.byte() != FORWARD_REQUEST:
        raise ProtocolError("the packet is not a request")
    code = cursor.byte()
    request = ForwardRequest(
        "",
        protocol=cursor.text(),
        uri=cursor.text(),
        remote_addr=cursor.text(),
        remote_host=cursor.text(),
        server_name=cursor.text(),
        server_port=cursor.number(),
        is_ssl=cursor.byte() != 0,
        headers=cursor.headers(REQUEST_HEADERS),
    )
    _take_attributes(cursor, request)
    if code == _STORED:
        request.method = request.attributes.get("stored_method", "")
    elif 0 < code < len(METHODS):
        request.method = METHODS[code]
    if not request.method:
        raise ProtocolError(f"a method of code {code}")
    return request


def _take_attributes(cursor: Cursor, request: ForwardRequest) -> None:
    while (number := cursor.byte()) != _NO_MORE:
        if number == _REQ_ATTRIBUTE:
            name = cursor.text()
            request.request_attributes[name] = cursor.text()
        elif number == _SSL_KEY_SIZE:
            request.attributes["ssl_key_size"] = str(cursor.number())
        elif number in ATTRIBUTE_NAMES:
            request.attributes[ATTRIBUTE_NAMES[number]] = cursor.text()
        else:
            raise ProtocolError(f"an attribute of code {number}")
