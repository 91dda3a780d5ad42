"""The health port on real sockets: bounded in size, time and connections, and never in the way."""

import contextlib
import logging
import os
import random
import socket
import threading
import time

import pytest

from pastebox.errors import CannotCreateError, ConfigError
from pastebox.health.probe import Probe
from pastebox.health.target import tcp
from pastebox.observe import connection as connection_module
from pastebox.observe import port as port_module
from pastebox.observe import status as phases
from pastebox.observe.port import MOST_CONNECTIONS, HealthPort, bind
from pastebox.observe.status import Status
from pastebox.process.loop import Loop

pytestmark = pytest.mark.process


class Served:
    """A loop in a thread with a health port on it, as the master has it."""

    def __init__(self, host="127.0.0.1"):
        self.loop = Loop()
        self.status = Status()
        self.port = HealthPort(self.loop, bind(host, 0), self.status)
        self.address = (host, self.port.port)
        self._orders, self._order = socket.socketpair()
        self._queue = []
        self.loop.on_readable(self._orders.fileno(), self._obey)
        self.thread = threading.Thread(target=self.loop.run, daemon=True)
        self.thread.start()

    def _obey(self):
        self._orders.recv(1)
        self._queue.pop(0)()

    def on_loop(self, work):
        """Run ``work`` in the loop's thread and return its result."""
        done = threading.Event()
        box = []

        def carry_out():
            box.append(work())
            done.set()

        self._queue.append(carry_out)
        self._order.send(b"x")
        assert done.wait(10), "the loop does not turn"
        return box[0]

    def close(self):
        self.on_loop(self.loop.stop)
        self.thread.join(10)
        self.port.close()
        self._orders.close()
        self._order.close()
        self.loop.close()

    def connect(self):
        sock = socket.create_connection(self.address, 10)
        sock.settimeout(10)
        return sock

    def get(self, path, *, headers="", version="1.0"):
        with self.connect() as sock:
            sock.sendall(f"GET {path} HTTP/{version}\r\n{headers}\r\n".encode())
            return read_all(sock)

    def serve(self):
        def work():
            self.status.enter(phases.LOADING)
            self.status.generation_started(1)
            self.status.worker_started(0, 100)
            self.status.generation_ready(1)
            self.status.enter(phases.SERVING)

        self.on_loop(work)


@pytest.fixture
def served():
    served = Served()
    yield served
    served.close()


def read_all(sock):
    """Read to the end; a reset counts as one."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := sock.recv(65536):
            data += piece
    return data


def read_one(sock):
    """Read one response with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += sock.recv(65536)
    assert len(body) == length
    return head, body


def status_of(data):
    assert data.startswith(b"HTTP/1.1 "), data
    return int(data.split()[1])


def wait_until(condition, what):
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.005)


def test_it_answers_before_and_after_there_is_a_generation(served):
    assert status_of(served.get("/livez")) == 200
    assert status_of(served.get("/startupz")) == 503
    assert status_of(served.get("/readyz")) == 503
    served.serve()
    assert status_of(served.get("/startupz")) == 200
    assert status_of(served.get("/readyz")) == 200
    assert status_of(served.get("/metrics")) == 200
    assert status_of(served.get("/status")) == 200
    assert status_of(served.get("/nothing")) == 404


def test_a_connection_serves_several_requests_also_sent_ahead(served):
    with served.connect() as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_one(sock)[1] == b"ok\n"
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = read_all(sock)
    assert data.count(b"HTTP/1.1 200 OK") == 51
    assert data.count(b"Connection: keep-alive") == 50


def test_head_has_no_body(served):
    with served.connect() as sock:
        sock.sendall(b"HEAD /livez HTTP/1.0\r\n\r\n")
        data = read_all(sock)
    assert status_of(data) == 200
    assert data.endswith(b"\r\n\r\n")
    assert b"Content-Length: 3" in data


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"POST /livez HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 405, id="post"),
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", 400, id="no-host"),
        pytest.param(b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03\r\n\r\n", 400, id="tls"),
        pytest.param(b"GET /x HTTP/1.0\r\nA: " + b"b" * 9000, 431, id="long-head"),
        pytest.param(b"GET /x HTTP/1.0\r\nA: " + b"b" * 500_000, 431, id="endless-head"),
    ],
)
def test_what_is_not_served_is_refused_and_closed(served, request_bytes, status):
    with served.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(request_bytes)
        assert status_of(read_all(sock)) == status
    assert status_of(served.get("/livez")) == 200


def test_a_refusal_is_read_whole_although_a_body_was_left_unread(served):
    """Closing with unread bytes would send a reset, which can overtake the answer."""
    for _ in range(5):
        with served.connect() as sock:
            sock.sendall(b"POST /x HTTP/1.0\r\nContent-Length: 60000\r\n\r\n" + b"a" * 60000)
            data = b""
            while piece := sock.recv(4096):
                data += piece
        assert status_of(data) == 405
        assert data.endswith(b"GET and HEAD are served\n")


def test_a_defect_in_the_port_itself_costs_one_connection(served, monkeypatch, caplog):
    def broken(buffer):
        raise RuntimeError("broken reader")

    with monkeypatch.context() as patch, caplog.at_level(logging.ERROR):
        patch.setattr(connection_module, "take_head", broken)
        assert served.get("/livez") == b""
    assert "broken reader" in caplog.text
    assert status_of(served.get("/livez")) == 200


def test_half_a_request_is_answered_408_in_the_end(served, monkeypatch):
    monkeypatch.setattr(connection_module, "REQUEST_S", 0.2)
    with served.connect() as sock:
        sock.sendall(b"GET /livez HT")
        began = time.monotonic()
        assert status_of(read_all(sock)) == 408
        assert 0.1 < time.monotonic() - began < 2


def test_a_dripping_request_gains_no_time(served, monkeypatch):
    monkeypatch.setattr(connection_module, "REQUEST_S", 0.3)
    with served.connect() as sock:
        sock.settimeout(0.02)
        began = time.monotonic()
        data = b""
        while not data and time.monotonic() - began < 5:
            sock.sendall(b"G")
            with contextlib.suppress(TimeoutError):
                data = sock.recv(4096)
        assert status_of(data) == 408


def test_an_idle_connection_is_closed(served, monkeypatch):
    monkeypatch.setattr(connection_module, "IDLE_S", 0.2)
    with served.connect() as fresh, served.connect() as used:
        used.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        read_one(used)
        assert read_all(fresh) == b""
        assert read_all(used) == b""
    wait_until(lambda: not served.port._connections, "connections are left")


def test_a_client_that_does_not_read_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(connection_module, "REQUEST_S", 0.3)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.connect(served.address)
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while True:
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        assert status_of(served.get("/livez")) == 200
        wait_until(lambda: not served.port._connections, "the connection is still there")


def test_the_oldest_idle_connection_makes_room(served):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(served.connect()) for _ in range(MOST_CONNECTIONS)]
        wait_until(lambda: len(served.port._connections) == MOST_CONNECTIONS, "not accepted")
        assert status_of(served.get("/livez")) == 200
        assert read_all(idle[0]) == b""
        idle[1].sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert status_of(read_all(idle[1])) == 200


def test_beyond_the_limit_of_busy_connections_a_new_one_is_turned_away(served, monkeypatch):
    monkeypatch.setattr(port_module, "STALLED_S", {"reading": 10.0})
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(served.connect()).sendall(b"GET")
        wait_until(
            lambda: (
                [one.state for one in list(served.port._connections)]
                == ["reading"] * MOST_CONNECTIONS
            ),
            "not all are reading",
        )
        assert status_of(served.get("/livez")) == 503


def test_requests_that_stall_lose_their_connection_to_a_new_one(served, monkeypatch):
    monkeypatch.setattr(port_module, "STALLED_S", {})
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_CONNECTIONS):
            stack.enter_context(served.connect()).sendall(b"GET")
        wait_until(lambda: len(served.port._connections) == MOST_CONNECTIONS, "not accepted")
        for _ in range(3 * MOST_CONNECTIONS):
            assert status_of(served.get("/livez")) == 200


def test_a_crowd_of_silent_and_slow_clients_does_not_keep_a_probe_waiting(served):
    """Answers come within 50 ms, and they are answers, although connections keep piling up."""
    with contextlib.ExitStack() as stack:
        for _ in range(700):
            stack.enter_context(served.connect())
        took = []
        for _ in range(100):
            stack.enter_context(served.connect()).sendall(b"GET /live")
            time.sleep(0.005)  # the pace of the attack, not a wait
            began = time.monotonic()
            assert status_of(served.get("/livez")) == 200
            took.append(time.monotonic() - began)
        assert sorted(took)[98] < 0.05, sorted(took)[-5:]
        assert len(served.port._connections) <= MOST_CONNECTIONS


def test_a_defect_in_a_page_is_a_500_and_a_traceback_in_the_log(served, caplog):
    served.status.snapshot = lambda: 1 / 0
    with caplog.at_level(logging.ERROR):
        assert status_of(served.get("/livez")) == 500
    assert "ZeroDivisionError" in caplog.text
    del served.status.snapshot
    assert status_of(served.get("/livez")) == 200


def test_a_defect_in_the_probe_is_a_500(served, caplog):
    class Broken:
        def ask(self, then):
            raise RuntimeError("broken probe")

    served.serve()
    served.port.probe = Broken()
    with caplog.at_level(logging.ERROR):
        assert status_of(served.get("/readyz")) == 500
    assert "broken probe" in caplog.text
    assert status_of(served.get("/livez")) == 200


def test_a_probe_without_an_answer_does_not_hold_the_request(served, monkeypatch):
    class Silent:
        def ask(self, then):
            self.then = then

    monkeypatch.setattr(connection_module, "REQUEST_S", 0.2)
    served.serve()
    served.port.probe = silent = Silent()
    assert status_of(served.get("/readyz")) == 503

    class Late:
        ok, reason = True, "ok"

    served.on_loop(lambda: silent.then(Late()))
    assert status_of(served.get("/livez")) == 200


def test_readyz_tells_a_dead_application_from_a_busy_one(served):
    served.serve()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1]
        probe = Probe(served.loop, tcp("127.0.0.1", number), "/ready", timeout_s=0.2, keep_s=0.0)
        served.port.probe = probe
        answer = served.get("/readyz")
        assert status_of(answer) == 503
        assert b"application: busy: " in answer
    answer = served.get("/readyz")
    assert status_of(answer) == 503
    assert b"application: dead: " in answer
    assert b"connection refused" in answer


def test_the_status_page_shows_what_the_application_said_last(served):
    served.serve()
    served.port.probe = Probe(served.loop, tcp("127.0.0.1", 1), "/ready")
    assert b"application" not in served.get("/status")
    served.get("/readyz")
    assert b"dead: 127.0.0.1:1: connection refused, 0 s ago" in served.get("/status")


def test_any_bytes_leave_the_port_serving(served):
    """Random garbage, whole and in pieces, closed or left open."""
    dice = random.Random(20261121)
    words = [b"GET ", b"/livez", b" HTTP/1.1", b"\r\n", b"\n", b"Host: x", b":", b"\x00", b" "]
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = stack.enter_context(served.connect())
            with contextlib.suppress(ConnectionError):
                for _ in range(dice.randrange(6)):
                    sock.sendall(b"".join(dice.choices(words, k=5)) + dice.randbytes(5))
                if dice.random() < 0.5:
                    sock.close()
    wait_until(lambda: status_of(served.get("/livez")) == 200, "it does not serve")
    wait_until(
        lambda: all(one.state != "answering" for one in list(served.port._connections)), "hangs"
    )


def test_while_it_drains_the_application_is_not_asked(served):
    class Never:
        def ask(self, then):
            raise AssertionError

    served.serve()
    served.port.probe = Never()
    served.on_loop(served.status.drain_started)
    answer = served.get("/readyz?verbose")
    assert status_of(answer) == 503
    assert b"[-]draining failed: phase draining" in answer


def test_without_free_descriptors_it_pauses_and_comes_back(served, monkeypatch):
    """Accept fails until one is free; the loop turns on, without spinning."""
    real = served.port._listener

    class Exhausted:
        calls = 0

        def __getattr__(self, name):
            return getattr(real, name)

        def accept(self):
            self.calls += 1
            raise OSError(24, "Too many open files")

    exhausted = Exhausted()
    served.on_loop(lambda: setattr(served.port, "_listener", exhausted))
    with served.connect() as sock:
        sock.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        wait_until(lambda: exhausted.calls >= 3, "it does not try again")
        assert exhausted.calls < 20
        served.on_loop(lambda: setattr(served.port, "_listener", real))
        assert status_of(read_all(sock)) == 200


def test_closing_ends_everything_and_frees_the_port(served):
    with served.connect() as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        read_one(sock)
        served.on_loop(served.port.close)
        assert read_all(sock) == b""
    bind(*served.address).close()


def test_a_forked_child_gives_the_descriptors_back_and_leaves_the_parents_loop_alone(served):
    with served.connect() as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        read_one(sock)

        def fork():
            pid = os.fork()
            if not pid:
                served.port.close_in_child()
                served.loop.close()
                os._exit(0 if served.port._listener.fileno() == -1 else 1)
            return os.waitpid(pid, 0)[1]

        assert served.on_loop(fork) == 0
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_one(sock)[1] == b"ok\n"
    assert status_of(served.get("/livez")) == 200


def test_ipv6():
    with contextlib.ExitStack() as stack:
        try:
            served = Served("::1")
        except ConfigError:
            pytest.skip("this machine has no IPv6")
        stack.callback(served.close)
        assert status_of(served.get("/livez")) == 200


def test_a_port_in_use_says_what_to_set():
    with bind("127.0.0.1", 0) as listener:
        number = listener.getsockname()[1]
        with pytest.raises(
            CannotCreateError, match=f"127.0.0.1:{number}: address already"
        ) as caught:
            bind("127.0.0.1", number)
    assert "PASTEBOX_HEALTH_PORT" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "caf\xe9", "300.1.1.1"])
def test_an_address_of_another_machine_is_a_config_error(host):
    with pytest.raises(ConfigError, match="PASTEBOX_HEALTH_HOST"):
        bind(host, 0)
