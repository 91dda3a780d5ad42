"""``pastebox health``: what it asks, how it refuses, and that it stays cheap."""

import io
import socket
import subprocess
import sys
import threading

import pytest

from pastebox.cli import health
from pastebox.settings import PREFIX, Settings


def run(*argv, **environ):
    out = io.StringIO()
    return health.main(argv, environ, out), out.getvalue()


@pytest.mark.parametrize(
    ("argv", "environ", "what"),
    [
        pytest.param(("--frob",), {}, "--frob: is not an argument", id="option"),
        pytest.param(("http://a:1/", "http://b:2/"), {}, "is not an argument", id="two-urls"),
        pytest.param(("--timeout",), {}, "expected a value", id="no-value"),
        pytest.param(("--timeout", "soon"), {}, 'found "soon"', id="timeout"),
        pytest.param(("--timeout=inf",), {}, 'found "inf"', id="infinite"),
        pytest.param(("ftp://a/",), {}, "expected http://host:port/path", id="scheme"),
        pytest.param(("fcgi:/a",), {}, "expected http://host:port/path", id="no-authority"),
        pytest.param(("fcgi+unix:a",), {}, "expected http://host:port/path", id="no-socket"),
        pytest.param(("fcgi+tcp:/a",), {}, "expected http://host:port/path", id="transport"),
        pytest.param(("http:///x",), {}, "expected a host", id="no-host"),
        pytest.param(("http://a:port/",), {}, "expected a port", id="url-port"),
        pytest.param(("http://127.0.0.1:1/a b",), {}, "expected no space", id="url-space"),
        pytest.param(("http://caf\xe9:1/",), {}, "error: ", id="url-not-ascii"),
        pytest.param(
            (), {"PASTEBOX_HEALTH_PORT": "tcp://10.0.0.1:80"}, "expected a port", id="env"
        ),
        pytest.param((), {"PASTEBOX_HEALTH_PORT_FILE": "/nowhere"}, "cannot be read", id="file"),
    ],
)
def test_misuse_is_2_with_the_reason(argv, environ, what):
    status, text = run(*argv, **environ)
    assert status == 2
    assert what in text
    assert text.count("\n") == 2


def test_help_is_0():
    status, text = run("--help")
    assert status == 0
    assert "--startup" in text


def test_nothing_listening_is_dead():
    status, text = run(PASTEBOX_HEALTH_PORT="1")
    assert (status, text) == (1, "dead: 127.0.0.1:1: connection refused\n")
    status, text = run("unix:/nowhere/sock")
    assert (status, text) == (1, "dead: unix:/nowhere/sock: no such file or directory\n")


def answer_once(status):
    """Return the port of a server that answers one request."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as sock:
            sock.recv(65536)
            sock.sendall(f"HTTP/1.0 {status} X\r\n\r\n<p>x".encode())

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("", 404, 0, id="nobody-said-what-to-ask"),
        pytest.param("", 401, 0, id="nobody-said-who-asks"),
        pytest.param("", 500, 1, id="a-server-error-is-one"),
        pytest.param("/", 404, 1, id="asked-for-and-not-there"),
        pytest.param("/x", 302, 0, id="elsewhere"),
    ],
)
def test_what_counts_as_healthy_when_the_application_is_asked(path, status, code):
    found, text = run(f"http://127.0.0.1:{answer_once(status)}{path}")
    assert found == code
    assert text == ("ok\n" if not code else f"status {status} X\n")


def test_the_variables_and_defaults_are_the_tables():
    assert health.DEFAULTS["HEALTH_HOST"] == Settings.health_host.default
    assert health.DEFAULTS["HEALTH_PORT"] == Settings.health_port.default
    for name in ("health_host", "health_port", "host", "port", "ready_path"):
        assert getattr(Settings, name).environment == PREFIX + name.upper()


CODECS = ["ajp", "cgi", "fastcgi", "scgi", "tls"]


@pytest.mark.parametrize(
    ("url", "codecs"),
    [
        pytest.param("http://localhost:1/", "", id="http"),
        pytest.param("fcgi://localhost:1/", "cgi fastcgi", id="fcgi"),
        pytest.param("scgi://localhost:1/", "cgi scgi", id="scgi"),
        pytest.param("ajp://localhost:1/", "ajp", id="ajp"),
    ],
)
def test_nothing_heavy_is_imported(url, codecs):
    """Each of these costs more than the whole check may take; and a protocol costs itself alone."""
    heavy = "typing re json argparse logging http urllib encodings.idna asyncio subprocess pathlib"
    heavy += " socket selectors enum collections contextlib ssl"
    heavy += " dataclasses pastebox.settings pastebox.errors pastebox.process pastebox.observe"
    code = (
        "import sys; before = set(sys.modules); from pastebox.cli.health import main;"
        f"main(['{url}'], {{}}, sys.stdout); print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "_socket" in loaded
    assert loaded.isdisjoint(heavy.split())
    assert {name for name in CODECS if f"pastebox.health.{name}" in loaded} == set(codecs.split())
