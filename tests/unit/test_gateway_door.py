"""How the gateway takes connections in."""

from __future__ import annotations

import select
import socket

import pytest

from pastebox.gateway.limits import Limits
from pastebox.gateway.scgi import ScgiWire
from pastebox.gateway.server import Gateway
from pastebox.gateway.traits import Traits


class NoObserver:
    """Satisfies ``Observer``."""

    def started(self): ...
    def finished(self, what): ...
    def tick(self, now):
        return 1.0

    def stopping(self): ...
    def ended(self): ...


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


@pytest.fixture
def impatient():
    """An application that has said how long all its sockets wait."""
    socket.setdefaulttimeout(0.2)
    yield
    socket.setdefaulttimeout(None)


def test_the_timeout_of_an_applications_own_sockets_is_not_that_of_the_server(impatient, listener):
    """The I/O thread would wait that long for each connection that is silent, and close it."""
    gateway = Gateway(lambda *_: [], [listener], Traits(ScgiWire), Limits(), NoObserver())
    with socket.create_connection(listener.getsockname(), timeout=20) as client:
        assert select.select([listener], [], [], 20)[0]
        assert gateway.door.accept(listener) >= 1
        (connection,) = gateway.connections
        assert connection.sock.gettimeout() == 0
        assert not connection.is_gone
        gateway.close(connection)
        assert client.recv(1) == b""
