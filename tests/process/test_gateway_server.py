"""The gateway as a process, asked without a front end: drain, recycling, connections, peers."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import socket
import time
from pathlib import Path

import gateway_grid
import pytest
from app_process import Call, children_of, wait_until

from pastebox.health import ajp, fastcgi, fastcgi_client, scgi

pytestmark = pytest.mark.process

THREADS = ("flup_scgi_thread", "flup_fcgi_thread", "flup_ajp_thread")
FORKS = ("flup_scgi_fork", "flup_fcgi_fork", "flup_ajp_fork")


@pytest.fixture
def serve(tmp_path):
    processes = []

    def begin(runner, options="", **settings):
        process = gateway_grid.start(tmp_path, runner, options, **settings)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        print(process.log()[-4000:])


def request(runner: str, path: str) -> bytes:
    if "ajp" in runner:
        uri, _, query = path.partition("?")
        asked = ajp.ForwardRequest(
            "GET", uri, remote_addr="127.0.0.1", attributes={"query_string": query}
        )
        return ajp.encode_forward_request(asked)
    codec = scgi if "scgi" in runner else fastcgi_client
    return codec.request_bytes(path, "localhost")


def memory_below(process) -> int:
    """Return the bytes of memory of everything below the master."""
    pids = process.children()
    for pid in pids:
        pids += children_of(pid)
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            found += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) << 10
    return found


def connect(process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port), 20)


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
            if part.endswith(ajp.end_response(reuse=True)):
                break
    return b"".join(parts)


def ask(process, runner: str, path: str = "/") -> bytes:
    with connect(process) as connection:
        connection.sendall(request(runner, path))
        return read_all(connection)


@pytest.mark.parametrize("runner", [*THREADS, *FORKS])
def test_running_requests_are_finished_and_idle_connections_do_not_hold(serve, tmp_path, runner):
    process = serve(runner)
    mark, until = tmp_path / "mark", tmp_path / "until"
    idle = connect(process)
    call = Call(ask, process, runner, f"/slow?mark={mark}&until={until}")
    wait_until(mark.exists, "the request to run")
    process.term()
    process.wait_log("draining|drain")
    until.touch()
    assert b"slow" in call.result()
    assert process.wait_exit() == 0
    idle.close()


@pytest.mark.parametrize("runner", [*THREADS, *FORKS])
def test_what_the_deadline_cuts_off_is_counted(serve, tmp_path, runner):
    process = serve(runner, PASTEBOX_DRAIN_TIMEOUT="0.5")
    mark = tmp_path / "mark"
    call = Call(ask, process, runner, f"/slow?mark={mark}&until=/nonexistent")
    wait_until(mark.exists, "the request to run")
    process.term()
    assert process.wait_exit() == 124
    assert b"slow" not in call.result()


@pytest.mark.parametrize("runner", FORKS)
def test_children_are_replaced_without_a_lost_request(serve, runner):
    process = serve(runner, "maxRequests = 5\nmaxChildren = 4")
    pids = set()
    for _ in range(60):
        answer = ask(process, runner, "/pid")
        assert b"200" in answer or b"\x04\x00\xc8" in answer
        pids.add(answer.translate(None, b"\0"))
    assert len(pids) >= 8


@pytest.fixture
def descriptors():
    """Have as many descriptors as this process may, and return how many that is."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("runner", [*THREADS, *FORKS])
def test_two_thousand_connections_stay_open_and_one_more_is_answered(serve, descriptors, runner):
    """More than ``select`` can hold, where the limit of descriptors allows it."""
    process = serve(runner)
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(connect(process)) for _ in range(min(2000, descriptors - 300))
        ]
        for _ in range(5):
            assert b"contract" in ask(process, runner)
        for one in opened[::100]:
            one.sendall(request(runner, "/"))
            assert b"contract" in read_all(one)


@pytest.mark.parametrize("runner", [*THREADS, *FORKS])
def test_a_slow_reader_fills_no_memory(serve, runner):
    """The application waits for a client that does not read, and goes on when it does."""
    process = serve(runner)
    ask(process, runner)
    before = memory_below(process)
    with connect(process) as connection:
        connection.sendall(request(runner, "/big?mb=50"))
        received = len(connection.recv(1000))
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert memory_below(process) - before < 16 << 20
            time.sleep(0.05)
        while part := connection.recv(1 << 20):
            received += len(part)
            if part.endswith(ajp.end_response(reuse=True)):
                break
    assert received > 50 << 20


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_web_servers_that_the_environment_does_not_name_are_turned_away(serve, runner):
    process = serve(runner, FCGI_WEB_SERVER_ADDRS="10.9.8.7,10.9.8.6")
    assert ask(process, runner) == b""
    process.wait_log("not an allowed peer")


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_web_servers_that_the_environment_names_are_answered(serve, runner):
    process = serve(runner, FCGI_WEB_SERVER_ADDRS="10.9.8.7,127.0.0.1")
    assert b"contract" in ask(process, runner)


def test_descriptors_do_not_leak_when_clients_leave(serve):
    process = serve("flup_fcgi_thread")
    ask(process, "flup_fcgi_thread")
    (worker,) = process.children()
    count = lambda: len(os.listdir(f"/proc/{worker}/fd"))  # noqa: E731  # asked again and again
    before = count()
    for _ in range(20):
        with connect(process) as connection:
            connection.sendall(request("flup_fcgi_thread", "/big"))
            connection.recv(1000)
    wait_until(lambda: count() <= before, "the descriptors to be given back")


@pytest.mark.parametrize("runner", ["flup_scgi_thread", "flup_ajp_thread", "flup_scgi_fork"])
def test_a_peer_that_is_not_allowed_is_turned_away(serve, runner):
    process = serve(runner, "allowedServers = 10.9.8.7")
    assert ask(process, runner) == b""
    process.wait_log("not an allowed peer")


@pytest.mark.parametrize("runner", THREADS)
def test_hostile_input_costs_one_line_and_nothing_else(serve, runner):
    process = serve(runner)
    with connect(process) as connection:
        connection.sendall(b"\xff" * 100)
        assert read_all(connection) == b""
    process.wait_log("connection closed: ")
    assert "Traceback" not in process.log()
    assert b"contract" in ask(process, runner)


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_fastcgi_requests_share_a_connection(serve, runner):
    process = serve(runner, "multiplexed = true")
    with connect(process) as connection:
        reader, ended = fastcgi.RecordReader(), []
        for number in (1, 2, 3):
            pairs = fastcgi.encode_pairs([("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")])
            connection.sendall(
                fastcgi.begin_request(number, flags=fastcgi.KEEP_CONN)
                + fastcgi.record(fastcgi.PARAMS, number, pairs)
                + fastcgi.record(fastcgi.PARAMS, number)
                + fastcgi.record(fastcgi.STDIN, number)
            )
        while len(ended) < 3:
            for kind, number, _ in reader.feed(connection.recv(65536)):
                if kind == fastcgi.END_REQUEST:
                    ended.append(number)
        assert sorted(ended) == [1, 2, 3]


def test_a_request_waits_for_a_thread_instead_of_being_dropped(serve, tmp_path):
    process = serve("flup_scgi_thread", "maxThreads = 2")
    until = tmp_path / "until"
    path = f"/slow?until={until}"
    calls = [Call(ask, process, "flup_scgi_thread", path) for _ in range(8)]
    time.sleep(0.3)  # load, not synchronisation: they are to pile up
    until.touch()
    assert all(b"slow" in call.result() for call in calls)


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_unix_socket_has_its_mode_and_is_removed_at_the_end(serve, tmp_path, runner):
    path = tmp_path / "s"
    process = serve(runner, f"socket = {path}\numask = 0117")
    assert path.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(request(runner, "/"))
        assert b"contract" in read_all(connection)
    assert process.stop() == 0
    assert not path.exists()


def test_defaults_that_make_a_container_unreachable_are_pointed_out(serve):
    process = serve("flup_scgi_thread")
    process.wait_log("allowedServers is 127.0.0.1 by default")
