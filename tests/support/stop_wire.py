"""One connection to a server that is being stopped, and exact words for what went wrong on it."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable, Iterable

from contract_gateways import Gateway
from contract_wire import Place

from pastebox.health.http import ProtocolError

PATIENCE_S = 60.0
Pause = Callable[[int], None] | None


class LostError(Exception):
    """An answer did not come (``failed``), or not whole (``truncated``)."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class HttpConnection:
    """A connection that speaks HTTP/1.1."""

    def __init__(self, port: int, *, buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._left = b""
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise

    def ask(
        self,
        path: str,
        body: Iterable[bytes] | None = None,
        length: int = 0,
        pause: Pause = None,
    ) -> tuple[int, bool, bytes]:
        """Ask; return the status, whether the connection goes on, and the body.

        ``body`` makes it a POST; ``pause`` is called with the bytes received so far.
        """
        if body is None:
            self._send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        else:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
            self._send(head.encode())
            for piece in body:
                self._send(piece)
        return self._answer(pause)

    def is_closed(self) -> bool:
        """Whether the server has ended an idle connection: what pools ask before each use."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def _send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise LostError("failed", f"send: {error}") from error

    def _answer(self, pause: Pause) -> tuple[int, bool, bytes]:
        head = self._head()
        status = int(head.split(b" ", 2)[1])
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        body, count = [], 0
        while count < length:
            part = self._left or self._receive("truncated", f"{count} of {length}")
            taken, self._left = part[: length - count], part[length - count :]
            count += len(taken)
            body.append(taken)
            if pause is not None:
                pause(count)
        is_old = head.startswith(b"HTTP/1.0")
        keeps = not is_old and not re.search(rb"(?i)\r\nconnection: *close", head)
        return status, keeps, b"".join(body)

    def _head(self) -> bytes:
        data, self._left = self._left, b""
        while b"\r\n\r\n" not in data:
            data += self._receive("truncated" if data else "failed", f"after {data!r}")
        head, _, self._left = data.partition(b"\r\n\r\n")
        return head

    def _receive(self, kind: str, why: str) -> bytes:
        try:
            part = self.socket.recv(1 << 16)
        except OSError as error:
            raise LostError(kind, f"{error} {why}") from error
        if not part:
            raise LostError(kind, f"end of stream {why}")
        return part

    def close(self) -> None:
        self.socket.close()


class GatewayConnection:
    """A connection that speaks FastCGI, SCGI or AJP; one request each, as it was never reused."""

    def __init__(self, client: type[Gateway], port: int, *, buffer: int = 0) -> None:
        self._client = client(Place(port=port))
        self._connection = self._client.connection()
        self._connection.sock.settimeout(PATIENCE_S)
        if buffer:
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)

    def ask(
        self,
        path: str,
        body: Iterable[bytes] | None = None,
        length: int = 0,
        pause: Pause = None,
    ) -> tuple[int, bool, bytes]:
        """Ask, as above."""
        method = "GET" if body is None else "POST"
        said = {} if body is None else {"Content_Length": str(length)}
        try:
            answer = self._client.begin(method, path, body, on=self._connection, **said)
        except (OSError, ProtocolError, StopIteration) as error:
            raise LostError("failed", f"no answer: {error!r}") from error
        parts, count = [], 0
        try:
            while part := answer.read(1 << 16):
                parts.append(part)
                count += len(part)
                if pause is not None:
                    pause(count)
        except (OSError, ProtocolError) as error:
            raise LostError("truncated", f"{error!r} after {count} bytes") from error
        length_said = answer.headers.get("content-length", str(count))
        if int(length_said) != count:
            raise LostError("truncated", f"{count} of {length_said}")
        return answer.status, False, b"".join(parts)

    def close(self) -> None:
        self._connection.close()
