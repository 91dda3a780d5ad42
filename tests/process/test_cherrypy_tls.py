"""TLS with ``ssl_pem``: served, drained, and no thread lost to those who do not speak it."""

from __future__ import annotations

import contextlib
import http.client
import shutil
import socket
import ssl
import subprocess

import pytest
from app_process import INI, free_port

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
pytest.importorskip("cheroot")

WORDS = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"


@pytest.fixture
def pem(tmp_path):
    """Return a file with a key and a certificate of its own making."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [*WORDS.split(), "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both = tmp_path / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    return both


def section(port, pem):
    text = INI.format(app="", server=f"port = {port}\nssl_pem = {pem}", more="")
    return text.replace("egg:waitress#main", "egg:PasteScript#cherrypy")


def test_tls_serves_keeps_alive_and_drains(serve, pem):
    port = free_port()
    app = serve(ini=section(port, pem))
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    with contextlib.closing(connection):
        for path, length in (("/", 3), ("/big", 20 << 20), ("/", 3)):
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(answer.read()) == length
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), 10) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                with contextlib.suppress(ConnectionError):
                    plain.recv(100)
        connection.request("GET", "/headers")
        assert b"wsgi.url_scheme='https'" in connection.getresponse().read()
    assert app.stop() == 0


def test_key_of_another_certificate_is_78(start, pem, tmp_path):
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genrsa", "-out", other, "2048"], check=True, capture_output=True)
    pem.write_text(other.read_text() + (tmp_path / "certificate.pem").read_text())
    app = start(ini=section(free_port(), pem))
    assert app.wait_exit() == 78
    assert "ssl_pem" in app.log()
