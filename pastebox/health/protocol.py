"""What a server can be asked in: one exchange of each protocol, without any I/O.

HTTP is at hand; the other protocols and TLS are imported when they are asked for, as
``pastebox health`` pays for every import, every few seconds.
"""

from __future__ import annotations

from pastebox.health import http

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from typing import Protocol as Interface

    from pastebox.health.http import Response
    from pastebox.health.target import Target

    class Parser(Interface):
        """What reads an answer."""

        def feed(self, data: bytes) -> Response | None:
            """Take the next bytes, or ``b""`` for the end of the stream."""
            ...

    class Exchange(Interface):
        """One request and its answer, as bytes that the caller sends and receives."""

        def to_send(self) -> bytes:
            """Return what is to be sent now, once; ask again after each :meth:`feed`."""
            ...

        def feed(self, data: bytes) -> Response | None:
            """Take what has arrived, or ``b""`` for the end; return the answer when it is there.

            Raises:
                ProtocolError: this is no answer in this protocol.
            """
            ...


NAMES = ("http", "https", "fastcgi", "scgi", "ajp")


class Protocol:
    """One of ``NAMES``, and what it needs to know.

    Args:
        name: the protocol.
        secret: what an AJP server may demand; no other protocol sends it.

    Raises:
        ValueError: there is no such protocol.
    """

    __slots__ = ("name", "secret")

    def __init__(self, name: str, *, secret: str = "") -> None:
        if name not in NAMES:
            raise ValueError(f'protocol "{name}": expected one of {", ".join(NAMES)}')
        self.name = name
        self.secret = secret

    def start(
        self, target: Target, path: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> Exchange:
        """Return an exchange that requests ``path``; an AJP server without one gets a CPING alone.

        Raises:
            ValueError: the path or the host cannot be written in a request.
        """
        request, parser = self._codec(target.authority, path, headers)
        if self.name != "https":
            return PlainExchange(request, parser)
        from pastebox.health.tls import TLSExchange  # noqa: PLC0415  # ssl costs 20 ms

        return TLSExchange(request, parser, target)

    def _codec(
        self, host: str, path: str, headers: tuple[tuple[str, str], ...]
    ) -> tuple[bytes, Parser]:
        if self.name == "fastcgi":
            from pastebox.health import fastcgi_client as fastcgi  # noqa: PLC0415  # see above

            return fastcgi.request_bytes(path, host, headers), fastcgi.ResponseParser()
        if self.name == "scgi":
            from pastebox.health import scgi  # noqa: PLC0415  # see above

            return scgi.request_bytes(path, host, headers), scgi.ResponseParser()
        if self.name == "ajp":
            from pastebox.health import ajp_client  # noqa: PLC0415  # see above

            request = ajp_client.request_bytes(path, host, headers, secret=self.secret)
            return request, ajp_client.ResponseParser(is_ping_only=not path)
        return http.request_bytes(path, host, headers), http.ResponseParser()


class PlainExchange:
    """A request that is sent at once, and what reads the answer."""

    __slots__ = ("_parser", "_request")

    def __init__(self, request: bytes, parser: Parser) -> None:
        self._request = request
        self._parser = parser

    def to_send(self) -> bytes:
        """Return what is to be sent now, once."""
        request, self._request = self._request, b""
        return request

    def feed(self, data: bytes) -> Response | None:
        """Take what has arrived, or ``b""`` for the end of the stream."""
        return self._parser.feed(data)


HTTP = Protocol("http")
