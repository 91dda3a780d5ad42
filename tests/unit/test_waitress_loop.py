"""The waitress loop over real sockets: what clients do must leave nothing behind."""

import os
import resource
import select
import socket
import struct
import threading

import pytest
from app_process import wait_until
from waitress_server import Server

from pastebox.runners import waitress_loop

CLOSE = b"Connection: close\r\n\r\n"
HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\n" + CLOSE


class App:
    """Pages for each case, and gates that a test opens."""

    def __init__(self):
        self.gate = threading.Event()
        self.running = threading.Semaphore(0)

    def __call__(self, environ, start_response):
        return getattr(self, "do_" + environ["PATH_INFO"].strip("/"))(environ, start_response)

    def text(self, start_response, body, status="200 OK"):
        start_response(status, [("Content-Length", str(len(body)))])
        return [body]

    def do_(self, environ, start_response):
        return self.text(start_response, b"hello")

    def do_path(self, environ, start_response):
        return self.text(start_response, environ["QUERY_STRING"].encode())

    def do_wait(self, environ, start_response):
        self.running.release()
        self.gate.wait(30)
        return self.text(start_response, b"waited")

    def do_big(self, environ, start_response):
        start_response("200 OK", [("Content-Length", str(20 << 20))])
        return (b"x" * (1 << 20) for _ in range(20))

    def do_upload(self, environ, start_response):
        return self.text(start_response, str(len(environ["wsgi.input"].read())).encode())

    def do_flags(self, environ, start_response):
        flags = [environ["wsgi.multiprocess"], environ["wsgi.multithread"]]
        return self.text(start_response, repr(flags).encode())

    def do_raise(self, environ, start_response):
        raise ValueError("on purpose")

    def do_exit(self, environ, start_response):
        raise SystemExit(3)

    def do_halfway(self, environ, start_response):
        start_response("200 OK", [("Content-Length", "100")])
        yield b"x" * 10
        raise ValueError("on purpose")

    def do_garbage(self, environ, start_response):
        start_response("200 OK", [("Content-Length", "5")])
        return ["text, not bytes"]

    def do_nothing(self, environ, start_response):
        return []


@pytest.fixture
def app():
    return App()


@pytest.fixture
def serve(app):
    servers = []

    def begin(**options):
        servers.append(Server(app, **options))
        return servers[-1]

    yield begin
    app.gate.set()
    for server in servers:
        if server.orders.fileno() >= 0:
            server.stop()


def body(answer):
    return answer.partition(b"\r\n\r\n")[2]


def whole(one, size):
    """Read one answer whose body has ``size`` bytes."""
    data = b""
    while b"\r\n\r\n" not in data or len(body(data)) < size:
        part = one.recv(1 << 16)
        assert part, data
        data += part
    return data


def reset(one):
    """Close so that the peer gets a reset instead of an end."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def test_pipelined_requests_are_answered_in_order(serve):
    server = serve()
    requests = [b"GET /path?%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(50)]
    answer = server.ask(b"".join(requests) + b"GET /path?last HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [*(b"%d" % n for n in range(50)), b"last"]
    server.wait_channels(0)


def test_expect_100_continue(serve):
    server = serve()
    with server.connect() as one:
        one.sendall(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert one.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        one.sendall(b"12345")
        assert body(whole(one, 1)) == b"5"


def test_expect_100_continue_behind_a_running_request(serve, app):
    server = serve()
    with server.connect() as one:
        one.sendall(
            b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"
            b"POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert app.running.acquire(timeout=30)
        app.gate.set()
        assert body(whole(one, 6 + len("HTTP/1.1 100 Continue\r\n\r\n"))).startswith(b"waited")
        one.sendall(b"12345")
        assert body(whole(one, 1)) == b"5"


def test_chunked_upload(serve):
    chunks = b"".join(b"%x\r\n%s\r\n" % (n, b"x" * n) for n in (1, 1000, 70_000))
    answer = serve().ask(
        b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        + CLOSE
        + chunks
        + b"0\r\n\r\n"
    )
    assert body(answer) == b"71001"


def test_http_1_0_closes_unless_asked_to_keep(serve):
    server = serve()
    assert body(server.ask(b"GET / HTTP/1.0\r\n\r\n")) == b"hello"
    with server.connect() as one:
        for _ in range(2):
            one.sendall(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert body(whole(one, 5)) == b"hello"


def test_half_closed_client_gets_its_answer(serve, app):
    server = serve()
    with server.connect() as one:
        one.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        one.shutdown(socket.SHUT_WR)
        assert app.running.acquire(timeout=30)
        app.gate.set()
        assert body(whole(one, 6)) == b"waited"
    server.wait_channels(0)


LEAVINGS = [
    pytest.param(b"", id="nothing sent"),
    pytest.param(b"GET / HTTP/1.1\r\nHo", id="in a header"),
    pytest.param(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nx", id="upload"),
    pytest.param(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n", id="in a response"),
    pytest.param(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n", id="while the application works"),
    pytest.param(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n" + HELLO * 3, id="pipelined"),
]


@pytest.mark.parametrize("sent", LEAVINGS)
@pytest.mark.parametrize("leave", [reset, socket.socket.close])
def test_client_that_goes_away_leaves_nothing_behind(serve, app, sent, leave):
    server = serve(threads="2")
    for _ in range(4):
        one = server.connect()
        one.sendall(sent)
        if b"/wait" in sent:
            assert app.running.acquire(timeout=30) or True
            app.gate.set()
        if b"/big" in sent:
            one.recv(1000)
        leave(one)
    server.wait_channels(0)
    wait_until(lambda: server.in_flight() == 0, "nothing in flight")
    wait_until(lambda: not server.loop.in_service, "every thread to be free")
    assert body(server.ask(LAST)) == b"hello"


ACCIDENTS = [
    pytest.param("raise", b"500", id="raises"),
    pytest.param("halfway", b"200", id="raises halfway"),
    pytest.param("garbage", b"", id="text instead of bytes"),
    pytest.param("nothing", b"500", id="no start_response"),
    pytest.param("nosuchpage", b"500", id="AttributeError"),
]


@pytest.mark.parametrize(("page", "status"), ACCIDENTS)
def test_threads_outlive_what_a_request_does(serve, page, status, caplog):
    server = serve(threads="2")
    for _ in range(5):
        answer = server.ask(b"GET /%s HTTP/1.1\r\nHost: x\r\n" % page.encode() + CLOSE)
        assert status in answer[:20]
    server.wait_channels(0)
    assert server.in_flight() == 0
    assert body(server.ask(LAST)) == b"hello"


def test_threads_outlive_system_exit(serve, caplog):
    server = serve(threads="1")
    for _ in range(2):
        server.ask(b"GET /exit HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    assert body(server.ask(LAST)) == b"hello"
    assert server.in_flight() == 0


def test_bad_request_is_answered_and_counted(serve):
    server = serve()
    assert b" 400 " in server.ask(b"NONSENSE\r\n\r\n")[:20]
    server.wait_channels(0)
    wait_until(lambda: server.lines, "the access line")
    assert server.lines[0].status == 400


def test_longest_idle_connection_makes_room_at_the_limit(serve):
    server = serve(connection_limit="10")
    held = []
    for _ in range(10):
        one = server.connect()
        one.sendall(HELLO)
        whole(one, 5)
        held.append(one)
    server.wait_channels(10)
    assert body(server.ask(LAST)) == b"hello"
    assert held[0].recv(1) == b"", "the one that was idle longest was closed"
    held[-1].sendall(HELLO)
    assert body(whole(held[-1], 5)) == b"hello"
    for one in held:
        one.close()


def test_busy_connections_are_never_evicted(serve, app, caplog):
    server = serve(connection_limit="3", threads="3")
    busy = [server.connect() for _ in range(3)]
    for one in busy:
        one.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        assert app.running.acquire(timeout=30)
    late = server.connect()
    late.sendall(LAST)
    wait_until(lambda: "not accepting" in caplog.text, "the warning")
    app.gate.set()
    for one in busy:
        assert body(whole(one, 6)) == b"waited"
        one.close()
    assert body(whole(late, 5)) == b"hello"
    late.close()


def test_backlog_is_served_by_a_drain_at_the_connection_limit(serve, app, caplog):
    server = serve(connection_limit="3", threads="3")
    busy = [server.connect() for _ in range(3)]
    for one in busy:
        one.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        assert app.running.acquire(timeout=30)
    late = [server.connect() for _ in range(5)]
    for one in late:
        one.sendall(LAST)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    wait_until(lambda: server.loop.drain, "the drain")
    app.gate.set()
    for one in busy:
        assert body(whole(one, 6)) == b"waited"
        one.close()
    for one in late:
        assert body(whole(one, 5)) == b"hello"
        one.close()
    stopping.join(30)
    assert server.cut == 0
    assert {"STOPPING": 1} in server.notes.sent


def test_out_of_descriptors_pauses_and_recovers(serve, caplog):
    """The listener stays readable then: without a pause it is a busy loop."""
    server = serve()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    clients = [socket.socket() for _ in range(20)]
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 3, hard))
    try:
        for one in clients:
            one.connect(("127.0.0.1", server.port))
            one.sendall(LAST[:-2])  # a whole one would be answered, and its descriptor given back
        wait_until(lambda: "out of resources" in caplog.text, "the warning")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for one in clients:
        one.sendall(LAST[-2:])
        assert body(whole(one, 5)) == b"hello"
        one.close()
    assert caplog.text.count("out of resources") == 1


def test_service_goes_on_beside_more_connections_than_select_can_count(serve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3000:
        pytest.skip("the hard limit of descriptors is below 3000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, hard))
    try:
        server = serve()
        held = [server.connect() for _ in range(1100)]
        server.wait_channels(1100)
        assert max(server.loop.channels) > 1024
        assert body(server.ask(LAST)) == b"hello"
        held[-1].sendall(HELLO)
        assert body(whole(held[-1], 5)) == b"hello"
        for one in held:
            one.close()
        server.wait_channels(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_inactive_connections_are_closed_after_the_timeout(serve):
    server = serve(channel_timeout="1", cleanup_interval="1")
    with server.connect() as one:
        assert one.recv(1) == b""
    server.wait_channels(0)


def test_wake_that_comes_while_the_pipe_is_read_does_not_swallow_the_next(serve, monkeypatch):
    """The byte of a wake must not be read before the flag that stands for it is lowered."""
    server = serve()
    real, raced = os.read, threading.Event()

    def read(descriptor, size):
        if descriptor == server.loop._wake_read and not raced.is_set():
            raced.set()
            server.loop.wake(None)  # a thread that was faster than the read
        return real(descriptor, size)

    monkeypatch.setattr(waitress_loop.os, "read", read)
    server.loop.wake(None)
    assert raced.wait(30)
    wait_until(lambda: not server.loop._is_woken, "the flag to be down")


def test_flags_in_the_environ(serve):
    assert body(serve().ask(b"GET /flags HTTP/1.1\r\nHost: x\r\n" + CLOSE)) == b"[False, True]"


def test_lame_server_says_close_and_goes_on_accepting(serve):
    server = serve()
    with server.connect() as early:
        early.sendall(HELLO)
        assert b"Connection: close" not in whole(early, 5)
        server.orders.sendall(b"lame\n")
        wait_until(lambda: server.loop.lame, "lameness")
        early.sendall(HELLO)
        assert b"Connection: close" in whole(early, 5)
        assert early.recv(1) == b""
    with server.connect() as late:
        late.sendall(HELLO)
        assert b"Connection: close" in whole(late, 5)


def test_orders_may_come_in_pieces(serve):
    server = serve()
    for piece in (b"la", b"me", b"\ndr"):
        server.orders.sendall(piece)
    wait_until(lambda: server.loop.lame, "lameness")
    assert server.loop.drain is None
    server.orders.sendall(b"ain 5.0\n")
    wait_until(lambda: server.cut is not None, "the end")


def test_end_of_the_orders_is_an_order_to_drain(serve):
    server = serve()
    server.orders.shutdown(socket.SHUT_WR)
    wait_until(lambda: server.cut == 0, "the end")


def test_answer_that_nobody_reads_is_cut_and_counted_at_the_deadline(serve, caplog):
    server = serve()
    with server.connect() as one:
        one.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        one.recv(1000)
        assert server.stop(0.5) == 1
    assert "cut off by the drain deadline" in caplog.text


class LatePoller:
    """After a newcomer's event it reports one of the connection that had the number before."""

    def __init__(self, poller, listener):
        self._poller = poller
        self._listener = listener
        self.late = 0

    def __getattr__(self, name):
        return getattr(self._poller, name)

    def poll(self, timeout):
        events = self._poller.poll(timeout)
        if self._listener.fileno() in dict(events):
            number = os.dup(0)
            os.close(number)  # the lowest that is free: the newcomer gets it
            events.append((number, select.EPOLLIN | select.EPOLLHUP))
            self.late += 1
        return events


def test_a_newcomer_does_not_pay_for_the_end_of_its_predecessor(serve):
    server = serve()
    server.loop._poller = poller = LatePoller(server.loop._poller, server.listener)
    server.ask(LAST)  # the present wait is the real poller's
    with server.connect() as one:
        wait_until(lambda: poller.late and server.loop.channels, "the connection")
        one.sendall(LAST)
        assert body(one.makefile("rb").read()) == b"hello"
