"""An application makes its answer no faster than the client takes it, whatever the server."""

from __future__ import annotations

import contextlib
import socket

import pytest
from app_process import AppProcess, free_port
from contract_cases import CASES, Case, need

pytestmark = pytest.mark.process

APP = """\
def main(global_conf, **conf):
    return app

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", str(64 << 20))])
    return parts()

def parts():
    for number in range(64):
        with open("made", "w") as file:
            file.write(str(number))
        yield bytes(1 << 20)
"""
INI = """\
[app:main]
paste.app_factory = theapp:main
{server}
"""
AHEAD = 24
"""MiB that buffers of kernels and servers may hold."""


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name) for case in CASES if not case.name.startswith("flup_")],
)
def test_an_answer_is_made_as_fast_as_it_is_taken(case: Case, tmp_path):
    need(case)
    port = free_port()
    server = case.section(case.tcp.format(host="127.0.0.1", port=port), case.more)
    process = AppProcess(tmp_path, code=APP, ini=INI.format(server=server))
    try:
        process.wait_log(r"listening on (\S+)")
        with contextlib.closing(socket.socket()) as connection:
            connection.settimeout(20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            taken = 0
            while taken < 64 << 20:
                part = connection.recv(1 << 16)
                assert part
                taken += len(part)
                made = int((tmp_path / "made").read_text() or 0)
                assert made <= (taken >> 20) + AHEAD, f"made {made} MiB, taken {taken >> 20} MiB"
    finally:
        process.kill()
        print(process.log()[-3000:])
