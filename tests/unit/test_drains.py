"""What the drains of all loops share: whose next request has arrived is not idle."""

import contextlib
import select
import selectors
import socket
import time
from collections import deque
from types import SimpleNamespace

import pytest

from pastebox.gateway import drain as gateway_drain
from pastebox.runners import threaded_drain, waitress_drain
from pastebox.runners.threaded_peer import Peer

LONG = 100.0


class Hashable(SimpleNamespace):
    """A fake that is a key."""

    __hash__ = object.__hash__


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


def twisted(server):
    twisted_server = pytest.importorskip("pastebox.runners.twisted_server", exc_type=ImportError)
    channel = Hashable(has_begun=False, last_activity=time.monotonic() - LONG)
    loop = SimpleNamespace(_held={channel: server}, _drain_began=time.monotonic())
    return lambda: twisted_server.TwistedServer._may_close(loop, channel, time.monotonic())


def gthread(server):
    gunicorn_worker = pytest.importorskip("pastebox.runners.gunicorn_worker", exc_type=ImportError)
    worker = gunicorn_worker.Threaded.__new__(gunicorn_worker.Threaded)
    worker.alive = False
    worker.poller = selectors.DefaultSelector()
    worker.nr_conns = 2

    def may_close():
        connection = SimpleNamespace(sock=server, timeout=0.0, close=lambda: None)
        worker.keepalived_conns = deque([connection])
        worker.murder_keepalived()
        return not worker.keepalived_conns

    return may_close


@pytest.mark.parametrize("loop", [waitress, threaded, gateway, twisted, gthread])
def test_a_connection_is_not_idle_whose_next_request_has_arrived(pair, loop):
    """Between the last look of the poller and the close; closing would reset the client."""
    client, server = pair
    may_close = loop(server)
    assert may_close()
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert select.select([server], [], [], 30)[0]
    assert not may_close()
