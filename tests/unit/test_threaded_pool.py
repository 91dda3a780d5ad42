"""Which threads of a threaded worker serve, and how many at a time."""

from __future__ import annotations

import logging
import select
import socket
import threading
from types import SimpleNamespace

import pytest

from pastebox.gateway import turns
from pastebox.gateway.sparing import Sparing
from pastebox.runners.threaded_peer import ARMED, CLOSED, WAITING, WORKING, Peer
from pastebox.runners.threaded_pool import Pool
from pastebox.runners.threaded_serving import Serving

BOUND_S = 20.0


class Talk:
    """A conversation of one request, which runs a function."""

    def __init__(self, connection, serve):
        self.socket = connection
        self._serve = serve

    def serve(self):
        return self._serve()

    def has_more(self):
        return False

    def close(self):
        """There is nothing of its own."""


class Loop:
    """What the pool knows of its loop."""

    def __init__(self):
        self.complaints = Sparing(logging.getLogger("test"))
        self.timeout_s = BOUND_S
        self.lock = threading.Lock()
        self.poller = select.epoll()
        self.is_lame = False
        self.forgotten = []
        self.serve = lambda: False

    def converse(self, connection, address, loop):
        assert loop is self
        return Talk(connection, self.serve)

    def watch(self, peer):
        self.poller.modify(peer.descriptor, ARMED)

    def forget(self, peer):
        self.forgotten.append(peer)
        peer.socket.close()


@pytest.fixture
def loop():
    one = Loop()
    yield one
    one.poller.close()


@pytest.fixture
def peers(loop):
    pairs = [socket.socketpair() for _ in range(8)]
    made = []
    for ours, _ in pairs:
        loop.poller.register(ours.fileno(), 0)
        made.append(Peer(ours, ""))
        made[-1].is_watched = True
        made[-1].state = WORKING
    yield made
    for pair in pairs:
        for one in pair:
            one.close()


def serve_all(pool, peers):
    for peer in peers:
        pool.add(peer)
    pool.hand_over()


def test_short_requests_are_served_by_one_thread(loop, peers, monkeypatch):
    monkeypatch.setattr(turns, "_TURN_S", BOUND_S)
    pool = Pool(Serving(loop), 4)
    serve_all(pool, peers)
    assert not pool.is_behind
    assert len(loop.forgotten) == len(peers)
    assert {peer.state for peer in peers} == {CLOSED}
    assert len({peer.thread for peer in peers}) == 1


def test_requests_that_wait_for_something_run_at_the_same_time(loop, peers):
    barrier = threading.Barrier(4)
    loop.serve = lambda: bool(barrier.wait(BOUND_S)) and False
    pool = Pool(Serving(loop), 4)
    serve_all(pool, peers[:4])
    ended = SimpleNamespace(is_set=lambda: len(loop.forgotten) == 4)
    _wait(ended.is_set)
    assert len({peer.thread for peer in peers[:4]}) == 4


def test_who_slept_after_computing_is_overtaken_by_the_next_look(loop, peers, monkeypatch):
    """While requests compute, nobody else is woken; the loop looks again, and then they are."""
    monkeypatch.setattr("time.process_time", lambda: 0.0)
    gate = threading.Event()
    loop.serve = lambda: bool(gate.wait(BOUND_S)) and False
    pool = Pool(Serving(loop), 2)
    pool._turns._cpu_clock = iter(range(10**6)).__next__
    serve_all(pool, peers[:2])
    assert pool.is_behind, "the second waits for the first"
    pool.hand_over()
    _wait(lambda: not pool.is_behind)
    gate.set()
    _wait(lambda: len(loop.forgotten) == 2)


def test_a_defect_ends_no_thread(loop, peers, caplog):
    def fail():
        raise RuntimeError("a defect")

    loop.serve = fail
    pool = Pool(Serving(loop), 1)
    serve_all(pool, peers[:1])
    loop.serve = lambda: False
    serve_all(pool, peers[1:2])
    _wait(lambda: len(loop.forgotten) == 2)
    assert "defect while serving" in caplog.text


def test_a_kept_connection_goes_back_to_the_loop(loop, peers):
    loop.serve = lambda: True
    pool = Pool(Serving(loop), 1)
    serve_all(pool, peers[:1])
    _wait(lambda: peers[0].state == WAITING)
    assert not loop.forgotten
    assert not peers[0].socket.getblocking()


def _wait(condition):
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("waited in vain")
