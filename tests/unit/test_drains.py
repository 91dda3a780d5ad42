"""What the drains of all loops share: whose next request has arrived is not idle."""

import contextlib
import select
import socket
import time
from types import SimpleNamespace

import pytest

from pastebox.gateway import drain as gateway_drain
from pastebox.runners import threaded_drain, waitress_drain
from pastebox.runners.threaded_peer import Peer

LONG = 100.0


@pytest.fixture
def pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        with client, contextlib.closing(listener.accept()[0]) as server:
            yield client, server


def waitress(server):
    drain = waitress_drain.Drain(SimpleNamespace(), LONG)
    channel = SimpleNamespace(
        socket=server,
        requests=[],
        request=None,
        total_outbufs_len=0,
        close_when_flushed=False,
        last_activity=time.time() - LONG,
    )
    return lambda: drain._may_close(channel, LONG)


def threaded(server):
    drain = threaded_drain.Drain(SimpleNamespace(), LONG)
    peer = Peer(server, None)
    peer.since -= LONG
    return lambda: drain._may_close(peer, time.monotonic())


def gateway(server):
    drain = gateway_drain.Drain(SimpleNamespace(), LONG)
    connection = SimpleNamespace(
        sock=server,
        running=[],
        pending=[],
        should_close=False,
        wire=SimpleNamespace(is_midway=False),
        last_activity=time.monotonic() - LONG,
    )
    return lambda: drain._may_close(connection, time.monotonic())


@pytest.mark.parametrize("loop", [waitress, threaded, gateway])
def test_a_connection_is_not_idle_whose_next_request_has_arrived(pair, loop):
    """Between the last look of the poller and the close; closing would reset the client."""
    client, server = pair
    may_close = loop(server)
    assert may_close()
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert select.select([server], [], [], 30)[0]
    assert not may_close()
