"""Under systemd: what it is told, its sockets, its watchdog, and the units of the examples."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from app_process import PATIENCE_S, AppProcess, free_port, wait_until
from background_service import Background

from pastebox.settings import resolve

pytestmark = pytest.mark.process

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "systemd"


def tool_of_systemd(name):
    if shutil.which(name) is None:
        required = os.environ.get("PASTEBOX_REQUIRE", "").replace(",", " ").split()
        (pytest.fail if "systemd" in required else pytest.skip)(f"{name} is not installed")
    return name


def ask(address):
    with socket.create_connection(address, PATIENCE_S) as one:
        one.sendall(HELLO)
        with one.makefile("rb") as file:
            return file.read()


class Systemd:
    """A NOTIFY_SOCKET that remembers what it is told."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(30)
        self.path = str(path)
        self.heard = set()

    def wait_for(self, name):
        """Return the fields of the first datagram that says NAME=1."""
        while True:
            text = self._socket.recv(4096).decode()
            fields = dict(line.split("=", 1) for line in text.splitlines())
            self.heard.update(fields)
            if fields.get(name) == "1":
                return fields

    def close(self):
        self._socket.close()


@pytest.fixture
def systemd(tmp_path):
    systemd = Systemd(tmp_path / "notify")
    yield systemd
    systemd.close()


def test_systemd_is_told_of_ready_reloading_and_stopping(serve, systemd):
    app = serve(NOTIFY_SOCKET=systemd.path)
    assert "serving" in systemd.wait_for("READY")["STATUS"]
    before = time.monotonic_ns() // 1000
    app.signal(signal.SIGHUP)
    assert before <= int(systemd.wait_for("RELOADING")["MONOTONIC_USEC"])
    systemd.wait_for("READY")
    app.term()
    systemd.wait_for("STOPPING")
    assert app.wait_exit() == 0


def test_failed_reload_is_ready_again_for_systemd(serve, systemd):
    app = serve(NOTIFY_SOCKET=systemd.path)
    systemd.wait_for("READY")
    app.ini.write_text("[app:main\n")
    app.signal(signal.SIGHUP)
    systemd.wait_for("RELOADING")
    systemd.wait_for("READY")
    assert app.stop() == 0


def test_application_does_not_inherit_systemds_socket(serve, systemd):
    app = serve(NOTIFY_SOCKET=systemd.path)
    assert app.get("/environ?name=NOTIFY_SOCKET").text == "unset"
    assert app.get("/environ?name=LISTEN_FDS").text == "unset"
    assert app.stop() == 0


ACTIVATE = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = "1"
os.execv(sys.executable, [sys.executable, "-m", "pastebox.cli.main", "serve", "app.ini"])
"""


class Activated(AppProcess):
    """Started as systemd starts a service with a socket of its own."""

    def __init__(self, directory, listener, ini=None):
        script = directory / "activate.py"
        script.write_text(ACTIVATE)
        wrapper = (sys.executable, str(script), str(listener.fileno()))
        super().__init__(directory, wrapper=wrapper, pass_fds=(listener.fileno(),), ini=ini)


def test_inherited_socket_is_served_and_left_as_it_was(tmp_path):
    """systemd keeps the socket: the next start must get what comes in between."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(10)
        address = listener.getsockname()
        for _ in range(2):
            app = Activated(tmp_path, listener)
            try:
                app.wait_listening()
                assert app.port == address[1]
                assert ask(address).endswith(b"one")
                assert app.stop() == 0
            finally:
                app.kill()
            with socket.create_connection(address, 10):
                listener.settimeout(10)
                listener.accept()[0].close()


# -- the watchdog ------------------------------------------------------------------------------


def test_watchdog_is_told_while_the_service_is_alive(serve, systemd):
    app = serve(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="200000")
    for _ in range(3):
        systemd.wait_for("WATCHDOG")
    assert app.get("/environ?name=WATCHDOG_USEC").text == "unset"
    app.term()
    systemd.wait_for("STOPPING")
    assert app.wait_exit() == 0


def test_watchdog_of_another_process_is_not_ours(serve, systemd):
    app = serve(NOTIFY_SOCKET=systemd.path, WATCHDOG_USEC="20000", WATCHDOG_PID="1")
    assert "WATCHDOG" not in systemd.wait_for("READY")
    app.term()
    systemd.wait_for("STOPPING")
    assert app.wait_exit() == 0
    assert systemd.heard == {"READY", "STATUS", "STOPPING"}


# -- sockets -----------------------------------------------------------------------------------


def test_socket_survives_a_reload_and_the_way_into_the_background(tmp_path):
    service = Background(tmp_path)
    script = tmp_path / "activate.py"
    script.write_text(ACTIVATE.replace('"app.ini"', '"app.ini", sys.argv[2]'))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(10)
        address = listener.getsockname()
        try:
            for word in ("start", "restart", "stop"):
                done = subprocess.run(
                    [sys.executable, str(script), str(listener.fileno()), word],
                    cwd=tmp_path,
                    env=service.environ(),
                    pass_fds=(listener.fileno(),),
                    capture_output=True,
                    text=True,
                    timeout=2 * PATIENCE_S,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
                if word != "stop":
                    assert service.port == address[1]
                    assert ask(address).endswith(b"one")
        finally:
            service.end()


def test_systemds_own_tool_activates_it_by_the_first_connection(tmp_path):
    tool = tool_of_systemd("systemd-socket-activate")
    service, port = Background(tmp_path), free_port()
    # The tool hands on nothing of its own environment but what it is told to.
    environ = [f"--setenv={name}={value}" for name, value in service.environ().items()]
    with subprocess.Popen(
        [tool, "-l", f"127.0.0.1:{port}", *environ, *service.command("app.ini")],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            wait_until(lambda: listens(port), "the tool to listen")
            assert ask(("127.0.0.1", port)).endswith(b"one")
        finally:
            process.terminate()
            log = process.communicate(timeout=PATIENCE_S)[0]
    assert process.returncode == 0, log
    assert f"listening on http://127.0.0.1:{port}" in log


def listens(port):
    """Look without connecting: a connection would start the service."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(f"0100007F:{port:04X} 00000000:0000 0A" in line for line in lines)


def test_server_that_binds_by_itself_refuses_the_socket(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(10)
        (tmp_path / "theserver.py").write_text("def run(app, global_conf, **conf): pass\n")
        server = "[server:main]\npaste.server_runner = theserver:run\nport = 0\n"
        ini = f"[app:main]\npaste.app_factory = theapp:main\n{server}"
        app = Activated(tmp_path, listener, ini)
        try:
            assert app.wait_exit() == 78
            assert "binds by itself, and cannot take systemd's sockets" in app.log()
        finally:
            app.kill()


# -- the example -------------------------------------------------------------------------------


def test_units_of_the_example_are_what_systemd_expects(tmp_path):
    tool = tool_of_systemd("systemd-analyze")
    for name in ("wiki.service", "wiki.socket"):
        text = (EXAMPLES / name).read_text()
        (tmp_path / name).write_text(text.replace("/srv/wiki/env/bin/pastebox", "/bin/true"))
    done = subprocess.run(
        [tool, "verify", *map(str, sorted(tmp_path.iterdir()))],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "wiki." in line]
    assert (ours, done.returncode) == ([], 0), done.stderr


def test_example_says_what_the_settings_add_up_to():
    text = (EXAMPLES / "wiki.service").read_text()
    options = resolve({}, {})
    assert f"TimeoutStopSec={options.drain_delay + options.drain_timeout + 5:g}s" in text
    assert "Type=notify\n" in text
