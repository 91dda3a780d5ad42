"""What every gateway must do behind every front end, asked through HTTP with wsgiref.validate."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from pathlib import Path

import contract_app
from app_process import AppProcess, Call, free_port
from contract_wire import Http, Place

INI = """\
[app:main]
paste.app_factory = contract_app:main
[server:main]
use = egg:PasteScript#{runner}
{options}
"""
BIG = 50 << 20


def start(directory: Path, runner: str, options: str = "", **settings: str) -> AppProcess:
    """Serve the contract's application by a runner of the gateway on a free port."""
    port = free_port()
    (directory / "contract_app.py").write_text(Path(contract_app.__file__).read_text())
    address = options if "socket" in options else f"host = 127.0.0.1\nport = {port}\n{options}"
    ini = INI.format(runner=runner, options=address)
    process = AppProcess(directory, code=None, ini=ini, **settings)
    process.wait_log(r"listening on (\S+)")
    process.port = port
    return process


class Grid:
    """The cells; each is a method that a test calls by its name."""

    def __init__(self, port: int, directory: Path) -> None:
        self.client = Http(Place(port=port))
        self.port = port
        self.directory = directory

    def get(self):
        assert self.client.ask().text == "contract"

    def head(self):
        reply = self.client.ask("HEAD")
        assert (reply.status, reply.body) == (200, b"")

    def post_nothing(self):
        assert self.client.ask("POST", "/echo", b"").text.startswith("0 ")

    def post_1mb(self):
        self._post(1 << 20)

    def post_50mb(self):
        self._post(BIG)

    def _post(self, size: int):
        data = bytes(range(256)) * (size // 256)
        reply = self.client.ask("POST", "/echo", data)
        assert reply.text == f"{size} {hashlib.sha256(data).hexdigest()}"

    def put_lines(self):
        reply = self.client.ask("PUT", "/lines", b"one\ntwo\nthree")
        assert reply.text == r"b'one\n' 2 b'\nthree'"

    def chunked_upload(self):
        parts = [b"x" * 10_000, b"y" * 70_000, b"z"]
        reply = self.client.ask("POST", "/echo", iter(parts))
        data = b"".join(parts)
        assert reply.text == f"{len(data)} {hashlib.sha256(data).hexdigest()}"

    def no_content(self):
        assert self.client.ask(path="/204").status == 204

    def not_modified(self):
        assert self.client.ask(path="/304").status == 304

    def streaming(self):
        """The first part arrives while the application still waits."""
        until = self.directory / "go-on"
        connection = self.client.connection()
        connection.request("GET", f"/stream?until={until}")
        response = connection.getresponse()
        began = time.monotonic()
        assert response.read(6) == b"first\n"
        assert time.monotonic() - began < 10, "it came when the application had given up"
        until.touch()
        assert response.read() == b"last\n"
        connection.close()
        until.unlink()

    def write_callable(self):
        assert self.client.ask(path="/write").text == "written returned"

    def download_50mb(self):
        assert len(self.client.ask(path="/big?mb=50").body) == BIG

    def error_before(self):
        assert self.client.ask(path="/before").status == 500
        assert self.client.ask(path="/begun").status == 500

    def error_after(self):
        reply = self.client.ask(path="/after?length=1")
        assert not reply.is_whole

    def path_is_right(self):
        reply = self.client.ask(path="/environ/a%20b%2Cc/%C3%A9?q=%20")
        environ = json.loads(reply.text)
        assert environ["SCRIPT_NAME"] == ""
        assert environ["PATH_INFO"] == "/environ/a b,c/\xc3\xa9"
        assert environ["QUERY_STRING"] == "q=%20"
        assert not [name for name in environ if name.startswith("HTTP_CONTENT")]

    def client_that_leaves(self):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.port)) as connection:
                connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
                connection.recv(1000)
        self.get()

    def fifty_at_once(self):
        """None is dropped while every thread or child is taken."""
        until = self.directory / "all-go-on"
        calls = [Call(self.client.ask, path=f"/slow?until={until}") for _ in range(12)]
        timer = threading.Timer(0.5, until.touch)
        timer.start()
        assert [call.result().status for call in calls] == [200] * 12
        until.unlink()

    def keep_alive(self):
        connection = self.client.connection()
        for _ in range(20):
            assert self.client.ask(on=connection).status == 200
        connection.close()


CELLS = [name for name in vars(Grid) if not name.startswith("_")]
