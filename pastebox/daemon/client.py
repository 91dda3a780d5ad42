"""The other end of the control socket; it needs nothing of supervisor."""

import http.client
import socket
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pastebox.errors import NoPermissionError, UnavailableError

ANSWER_S = 30.0
"""How long the daemon may take for an answer; it never waits for a program meanwhile."""


class Client:
    """Calls of the daemon behind one socket."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._proxy = xmlrpc.client.ServerProxy(
            "http://localhost", transport=_Transport(path), allow_none=True
        )

    def call(self, name: str, *words: Any) -> Any:
        """Return the answer to ``namespace.method``.

        Raises:
            xmlrpc.client.Fault: the daemon says no.
            UnavailableError: there is no daemon.
            NoPermissionError: it is somebody else's.
        """
        with self._explained():
            return getattr(self._proxy, name)(*words)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise NoPermissionError(
                "the control socket is its owner's alone",
                file=self._path,
                hint="run this as the user that the daemon runs as, such as by docker exec",
            ) from error
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise UnavailableError(
                f"no daemon answers: {getattr(error, 'strerror', None) or error}",
                file=self._path,
                hint="PASTEBOX_MODE=daemon starts one;"
                " PASTEBOX_RUN_DIR names its directory, where that is not the usual one",
            ) from error


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        return _Connection(host, self._path)


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, path: str) -> None:
        super().__init__(host, timeout=ANSWER_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ANSWER_S)
        self.sock.connect(self._path)
