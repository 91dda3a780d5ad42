"""TLS around an exchange, in memory: bytes in, bytes out; imported only for ``https``."""

from __future__ import annotations

import ssl

from pastebox.health.http import ProtocolError

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from pastebox.health.http import Response
    from pastebox.health.protocol import Parser
    from pastebox.health.target import Target

_PIECE = 65536


class TLSExchange:
    """A request in TLS.

    A certificate is not verified towards loopback and unix sockets: it names the service, not
    ``127.0.0.1``, and nobody else can listen there. Towards any other host it is.
    """

    def __init__(self, request: bytes, parser: Parser, target: Target) -> None:
        self._request = request
        self._parser = parser
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = _context(target).wrap_bio(
            self._incoming, self._outgoing, server_hostname=target.host or None
        )

    def to_send(self) -> bytes:
        """Return what is to be sent now, once.

        Raises:
            ProtocolError: the other side does not speak TLS, or its certificate is not good.
        """
        if self._request:
            try:
                self._tls.write(self._request)
                self._request = b""
            except ssl.SSLWantReadError:
                pass  # the handshake goes on; what it has to say is in the outgoing bytes
            except ssl.SSLError as error:
                raise ProtocolError(_sentence(error)) from error
        return self._outgoing.read()

    def feed(self, data: bytes) -> Response | None:
        """Take what has arrived, or ``b""`` for the end of the stream.

        Raises:
            ProtocolError: the other side does not speak TLS, or what it says is no answer.
        """
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        if self._request:
            if not data:
                raise ProtocolError("TLS: closed in the middle of the handshake")
            return None  # to_send goes on with the handshake
        return self._read(is_end=not data)

    def _read(self, *, is_end: bool) -> Response | None:
        while True:
            try:
                piece = self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLError as error:
                if not is_end:
                    raise ProtocolError(_sentence(error)) from error
                piece = b""  # many servers close without saying so in TLS
            response = self._parser.feed(piece)
            if response is not None or not piece:
                return response


def _context(target: Target) -> ssl.SSLContext:
    if target.is_loopback:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context()


def _sentence(error: ssl.SSLError) -> str:
    reason = getattr(error, "verify_message", "") or error.reason or str(error)
    return f"TLS: {reason.lower().replace('_', ' ')}"
