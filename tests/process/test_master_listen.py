"""Where it listens: addresses, Unix sockets, refusals."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys

import pytest
from app_process import free_port, wait_until

pytestmark = pytest.mark.process

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def ask(address, family=socket.AF_INET):
    with socket.socket(family) as one:
        one.settimeout(30)
        one.connect(address)
        one.sendall(HELLO)
        with one.makefile("rb") as file:
            return file.read()


def has_ipv6():
    try:
        free_port("::1")
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def line_of(app, text):
    return next(n for n, line in enumerate(app.ini.read_text().splitlines(), 1) if text in line)


@needs_ipv6
@pytest.mark.parametrize("server", ["host = ::1\nport = 0", "listen = [::1]:0"])
def test_ipv6_address(serve, server):
    app = serve(server=server)
    assert f"listening on http://[::1]:{app.port} " in app.log()
    assert ask(("::1", app.port), socket.AF_INET6).endswith(b"one")
    assert app.stop() == 0


def test_several_listen_addresses(serve):
    first, second = free_port(), free_port()
    app = serve(server=f"listen = 127.0.0.1:{first} 127.0.0.1:{second}")
    for port in (first, second):
        assert app.get(port=port).text == "one"
    assert app.stop() == 0


def test_setting_replaces_host_and_port(serve):
    port = free_port()
    app = serve(
        server="host = 0.0.0.0\nport = 1", PASTEBOX_HOST="127.0.0.1", PASTEBOX_PORT=str(port)
    )
    assert app.port == port
    assert app.get().text == "one"
    assert app.stop() == 0


# -- Unix sockets ------------------------------------------------------------------------------


def unix(path, mode="660"):
    return f"unix_socket = {path}\nunix_socket_perms = {mode}"


def test_unix_socket_has_its_octal_mode_and_is_removed_at_the_end(serve, tmp_path):
    path = tmp_path / "s"
    app = serve(server=unix(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert ask(str(path), socket.AF_UNIX).endswith(b"one")
    assert app.stop() == 0
    assert not path.exists()


def test_unix_backlog_is_served(serve, tmp_path):
    app = serve(server=unix(tmp_path / "s"))
    worker = app.children()[0]
    os.kill(worker, signal.SIGSTOP)
    waiting = []
    for _ in range(20):
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(30)
        one.connect(str(tmp_path / "s"))
        one.sendall(HELLO)
        waiting.append(one)
    app.term()
    app.wait_log("draining")
    os.kill(worker, signal.SIGCONT)
    for one in waiting:
        with one, one.makefile("rb") as file:
            assert file.read().endswith(b"one")
    assert app.wait_exit() == 0


def test_stale_unix_socket_is_replaced(serve, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    assert path.exists()
    app = serve(server=unix(path))
    assert ask(str(path), socket.AF_UNIX).endswith(b"one")
    assert app.stop() == 0


def test_unix_socket_of_a_living_process_is_refused(start, tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(5)
        app = start(server=unix(path))
        assert app.wait_exit() == 73
        assert "another process listens on it" in app.log()
        assert path.exists()


@pytest.mark.parametrize("kind", ["a file", "a directory"])
def test_what_is_in_the_way_of_a_unix_socket_is_kept(start, tmp_path, kind):
    path = tmp_path / "s"
    path.mkdir() if kind == "a directory" else path.write_text("precious")
    app = start(server=unix(path))
    assert app.wait_exit() == 73
    assert f"{kind} is there" in app.log()
    assert path.exists()
    assert f"app.ini:{line_of(app, 'unix_socket =')}" in app.log()


def test_unix_socket_in_a_missing_directory(start, tmp_path):
    app = start(server=unix(tmp_path / "no" / "s"))
    assert app.wait_exit() == 73
    assert "its directory must exist" in app.log()


def test_too_long_unix_path(start, tmp_path):
    app = start(server=unix(tmp_path / ("x" * 120)))
    assert app.wait_exit() == 78
    assert "expected at most 107" in app.log()


# -- refusals ----------------------------------------------------------------------------------


def test_port_in_use_is_told_at_once_with_file_and_line(start, tmp_path):
    """Before the application is imported: its import would take for ever here."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        port = other.getsockname()[1]
        app = start(
            server=f"host = 127.0.0.1\nport = {port}", code="import time\ntime.sleep(300)\n"
        )
        assert app.wait_exit() == 73
    assert f"app.ini:{line_of(app, 'port =')}" in app.log()
    assert f"cannot listen on 127.0.0.1:{port}: the address is in use" in app.log()
    assert "hint:" in app.log()
    assert "Traceback" not in app.log()
    with pytest.raises(ProcessLookupError):
        os.killpg(app.pid, 0)  # nothing is left of its group


def test_health_port_in_use_names_its_setting(start):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen(1)
        app = start(PASTEBOX_HEALTH_PORT=str(other.getsockname()[1]))
        assert app.wait_exit() == 73
    assert "PASTEBOX_HEALTH_PORT" in app.log()


WITHOUT_THE_RIGHT = ("setpriv", "--bounding-set", "-net_bind_service")
BIND_81 = "import socket; socket.socket().bind(('127.0.0.1', 81))"


def _low_ports_are_free():
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "root without setpriv cannot give up a right"
    wrapper = WITHOUT_THE_RIGHT if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*wrapper, sys.executable, "-c", BIND_81], capture_output=True, text=True, check=False
    )
    return "" if "PermissionError" in done.stderr else "this machine lets everybody bind low ports"


def test_port_below_1024_without_the_right_ends_with_77(start):
    if reason := _low_ports_are_free():
        pytest.skip(reason)
    wrapper = WITHOUT_THE_RIGHT if os.geteuid() == 0 else ()
    app = start(server="host = 127.0.0.1\nport = 81", wrapper=wrapper)
    assert app.wait_exit() == 77
    assert "NET_BIND_SERVICE" in app.log()
    assert f"cannot listen on 127.0.0.1:81 as uid {os.getuid()}" in app.log()
    assert f"app.ini:{line_of(app, 'port =')}" in app.log()


BAD_ADDRESSES = [
    pytest.param("host = no.such.host.invalid\nport = 0", "cannot be resolved", id="no such host"),
    pytest.param("host = 192.0.2.77\nport = 0", "no such address", id="not of this machine"),
    pytest.param("port = 80a0", 'found "80a0", expected a number', id="port is no number"),
    pytest.param("port = 65536", "expected a number from 0 to 65535", id="port is too large"),
    pytest.param("listen = 127.0.0.1:x", 'found "127.0.0.1:x"', id="listen is no address"),
    pytest.param("listen = 127.0.0.1:0\nport = 1", "beside listen", id="listen and port"),
]


@pytest.mark.parametrize(("server", "told"), BAD_ADDRESSES)
def test_bad_address_ends_with_78_and_the_line(start, server, told):
    app = start(server=server)
    assert app.wait_exit() == 78
    assert told in app.log()
    assert f"app.ini:{line_of(app, server.splitlines()[-1].partition('=')[0])}" in app.log() or (
        f"app.ini:{line_of(app, server.splitlines()[0].partition('=')[0])}" in app.log()
    )


def test_worker_that_is_slow_to_load_keeps_clients_waiting_not_refused(start, tmp_path):
    port = free_port()
    gate = tmp_path / "go"
    code = (
        "import os, time\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        "def main(global_conf):\n"
        "    def app(environ, start_response):\n"
        "        start_response('200 OK', [('Content-Length', '2')])\n"
        "        return [b'ok']\n"
        "    return app\n"
    )
    app = start(server=f"host = 127.0.0.1\nport = {port}", code=code, health=True)
    wait_until(lambda: _connects(port), "the listener")
    with socket.create_connection(("127.0.0.1", port), 30) as early:
        early.sendall(HELLO)
        assert app.health("/readyz").status == 503
        assert app.health("/livez").status == 200
        gate.touch()
        with early.makefile("rb") as file:
            assert file.read().endswith(b"ok")
    assert app.stop() == 0


def _connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
