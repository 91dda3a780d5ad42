"""The probes against real servers: quick, shared, and clear about what they found."""

import contextlib
import socket
import sys
import threading
import time

import pytest

from pastebox.health.probe import Probe, probe_once
from pastebox.health.target import tcp, unix
from pastebox.process.loop import Loop

pytestmark = pytest.mark.process


class Server:
    """Accepts, reads a request, sends the given bytes; one thread, until closed."""

    def __init__(self, answer, *, path=None, closes=True, drips=0):
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen()
            self.target = unix(path)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.target = tcp(*self.listener.getsockname())
        self.answer = answer
        self.closes = closes
        self.drips = drips
        self.requests = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        kept = []
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                break
            sock.settimeout(10)
            data = b""
            while b"\r\n\r\n" not in data and (piece := sock.recv(65536)):
                data += piece
            self.requests.append(data)
            sock.sendall(self.answer)
            with contextlib.suppress(OSError):
                for _ in range(self.drips):
                    sock.sendall(b".")
                    time.sleep(0.05)  # the pace of the drip
            if self.closes:
                sock.close()
            else:
                kept.append(sock)
        for sock in kept:
            sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def once(target, path="/ready", timeout_s=5.0):
    return probe_once(target, path, timeout_s)


def on_loop(target, path="/ready", timeout_s=5.0):
    """Ask with the loop's probe, the way the master does."""
    loop = Loop()
    found = []
    probe = Probe(loop, target, path, timeout_s=timeout_s)
    probe.ask(found.append)
    while not found:
        loop.step(5)
    probe.close()
    loop.close()
    return found[0]


both = pytest.mark.parametrize("ask", [once, on_loop])


@both
@pytest.mark.parametrize(
    ("answer", "ok", "reason"),
    [
        pytest.param(OK, True, "ok", id="200"),
        pytest.param(b"HTTP/1.0 302 Found\r\n\r\n", True, "ok", id="302"),
        pytest.param(b"HTTP/1.0 503 Busy\r\n\r\n", False, "status 503 Busy", id="503"),
        pytest.param(b"HTTP/1.0 404 Not Found\r\n\r\n", False, "status 404 Not Found", id="404"),
        pytest.param(b"SSH-2.0\r\n", False, "protocol: {}: the answer is not HTTP", id="ssh"),
        pytest.param(b"", False, "protocol: {}: closed without an answer", id="closed"),
    ],
)
def test_what_the_answer_means(ask, answer, ok, reason):
    with Server(answer) as server:
        result = ask(server.target)
    assert (result.ok, result.reason) == (ok, reason.format(server.target))
    (request,) = server.requests
    assert request.startswith(b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"User-Agent: pastebox-health\r\n" in request


@both
def test_an_answer_with_a_length_need_not_be_closed(ask):
    with Server(OK, closes=False) as server:
        assert ask(server.target).ok


@both
def test_a_long_answer_is_left_unread(ask):
    with Server(b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * 200_000, closes=False) as server:
        result = ask(server.target)
    assert result.ok
    assert len(result.body) == 65536


@both
def test_a_unix_socket(ask, tmp_path):
    with Server(OK, path=str(tmp_path / "app.sock")) as server:
        assert ask(server.target).ok
    assert server.requests[0].startswith(b"GET /ready HTTP/1.1\r\nHost: localhost\r\n")


@both
def test_nothing_listening_is_dead(ask, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = tcp(*listener.getsockname())
    assert ask(target).reason == f"dead: {target}: connection refused"
    target = unix(str(tmp_path / "none"))
    assert ask(target).reason == f"dead: {target}: no such file or directory"


@both
def test_a_full_thread_pool_is_busy(ask):
    """The kernel completes the connection although nobody accepts it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = tcp(*listener.getsockname())
        result = ask(target, timeout_s=0.2)
    assert not result.ok
    assert result.reason == f"busy: {target}: connected, but no answer within 0.2 s"
    assert result.status == 0


@both
@pytest.mark.skipif(sys.platform != "linux", reason="the backlog of other kernels differs")
def test_a_full_backlog_is_busy(ask, tmp_path):
    path = str(tmp_path / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as first:
            first.setblocking(False)
            assert first.connect_ex(path) == 0
            result = ask(unix(path), timeout_s=0.2)
    assert result.reason.startswith(f"busy: unix:{path}: the backlog is full, no connection within")


@both
def test_an_answer_that_drips_is_busy_in_the_end(ask):
    """Each byte in time is not an answer in time."""
    with Server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", drips=60) as server:
        result = ask(server.target, timeout_s=0.3)
    assert result.reason.startswith("busy: ")
    assert result.seconds < 2.5


def test_those_who_ask_together_share_one_request_and_it_is_kept_a_while():
    now = [0.0]
    loop = Loop(lambda: now[0])
    with Server(OK) as server:
        probe = Probe(loop, server.target, "/ready", keep_s=1.0)
        found = []
        for _ in range(5):
            probe.ask(found.append)
        while len(found) < 5:
            loop.step(5)
        probe.ask(found.append)
        assert len(found) == 6
        assert len(server.requests) == 1
        now[0] += 1.1
        probe.ask(found.append)
        while len(found) < 7:
            loop.step(5)
        assert len(server.requests) == 2
        probe.close()
    loop.close()


def test_a_receiver_that_fails_does_not_rob_the_others(caplog):
    loop = Loop()
    with Server(OK) as server:
        probe = Probe(loop, server.target, "/ready")
        found = []
        probe.ask(lambda _: 1 / 0)
        probe.ask(found.append)
        while not found:
            loop.step(5)
        probe.close()
    loop.close()
    assert "ZeroDivisionError" in caplog.text


def test_closing_gives_the_socket_back():
    loop = Loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probe = Probe(loop, tcp(*listener.getsockname()), "/ready", timeout_s=0.1)
        probe.ask(lambda _: pytest.fail("closed probes do not answer"))
        sock, _ = listener.accept()
        with sock:
            probe.close()
            sock.settimeout(10)
            assert sock.recv(1) == b""
        loop.step(0.2)
    loop.close()


def test_a_path_that_cannot_be_requested_is_refused_at_once():
    with pytest.raises(ValueError, match="expected"):
        Probe(Loop(), tcp("127.0.0.1", 1), "no-slash")
