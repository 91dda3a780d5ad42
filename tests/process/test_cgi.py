"""``pastebox serve`` as the CGI program of a web server: one request, one process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import contract_app
import pytest
from app_process import clean_environ

INI = """\
[app:main]
paste.app_factory = contract_app:main
[server:main]
use = egg:PasteScript#cgi
{more}
"""


@pytest.fixture
def cgi(tmp_path):
    """Ask as a web server does; return the exit status, stdout and stderr."""

    def ask(method="GET", path="/", body=b"", *, more="", code=None, **environ):
        source = code or Path(contract_app.__file__).read_text()
        (tmp_path / "contract_app.py").write_text(source)
        (tmp_path / "app.ini").write_text(INI.format(more=more))
        path, _, query = path.partition("?")
        request = {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "/cgi-bin/app",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "www.example.org",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            **({"CONTENT_LENGTH": str(len(body))} if body else {}),
            **environ,
        }
        kept = {name: value for name, value in request.items() if value is not None}
        settings = {"PASTEBOX_HEALTH_PORT": "9090", **kept}
        done = subprocess.run(
            [sys.executable, "-m", "pastebox.cli.main", "serve", "app.ini"],
            cwd=tmp_path,
            env=clean_environ(tmp_path, settings),
            input=body + b"what follows is not the body",
            capture_output=True,
            timeout=30,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode()

    return ask


def test_get_begins_with_the_status_and_nothing_else_is_on_stdout(cgi):
    code, out, log = cgi()
    assert (code, log) == (0, "")
    head, _, body = out.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK\r\n")
    assert body == b"contract"


def test_body_is_bytes_and_ends_where_it_ends(cgi):
    body = bytes(range(256)) * 4096
    code, out, _ = cgi("POST", "/echo", body)
    assert code == 0
    assert out.endswith(f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode())


@pytest.mark.parametrize("path", ["/204", "/304"])
def test_empty_body(cgi, path):
    code, out, log = cgi("GET", path)
    assert (code, log) == (0, "")
    head, _, body = out.partition(b"\r\n\r\n")
    assert head.startswith(f"Status: {path[1:]} ".encode())
    assert b"Content-Length" not in head
    assert body == b""


def test_head_has_no_body(cgi):
    head, _, body = cgi("HEAD")[1].partition(b"\r\n\r\n")
    assert b"Content-Length: 8" in head
    assert body == b""


def test_environ_is_the_web_servers(cgi):
    out = cgi("GET", "/environ?a=1", HTTPS="on")[1]
    for shown in (b'"SCRIPT_NAME": "/cgi-bin/app"', b'"QUERY_STRING": "a=1"', b"192.0.2.1"):
        assert shown in out
    for shown in (b'"wsgi.url_scheme": "https"', b'"wsgi.run_once": true'):
        assert shown in out


def test_error_is_500_and_the_traceback_is_on_stderr(cgi):
    code, out, log = cgi("GET", "/before")
    assert code == 70
    assert out.startswith(b"Status: 500 ")
    assert "ValueError: before start_response" in log


def test_what_an_application_prints_is_not_in_the_answer(cgi):
    code = (
        "def main(global_conf):\n"
        "    print('loaded')\n"
        "    def app(environ, start_response):\n"
        "        print('called')\n"
        "        start_response('200 OK', [])\n"
        "        return [b'x']\n"
        "    return app\n"
    )
    _, out, log = cgi(code=code)
    assert out.startswith(b"Status: 200 OK")
    assert "loaded\ncalled\n" in log


def test_without_a_web_server_it_is_78(cgi):
    code, out, log = cgi(REQUEST_METHOD=None)
    assert (code, out) == (78, b"")
    assert "REQUEST_METHOD" in log


def test_option_is_78(cgi):
    code, _, log = cgi(more="port = 80")
    assert code == 78
    assert "port" in log
