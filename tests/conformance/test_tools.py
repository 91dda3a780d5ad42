"""Clients that we did not write: cgi-fcgi, spawn-fcgi, nmap's AJP scripts and curl, from Debian.

No tool of Debian speaks SCGI; there it is nginx, Apache and lighttpd (tests/grid, tests/protocol).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import contract_app
import pytest
from app_process import AppProcess
from contract_cases import CASES
from contract_wire import digest_of

pytestmark = pytest.mark.process

BODY = bytes(range(256)) * 1000
HTTP = [case.name for case in CASES if not case.name.startswith("flup_")]
HAS_NO_CHUNKS = [c.name for c in CASES if "test_chunked_upload_arrives_whole" in c.exceptions]


@pytest.fixture(scope="session")
def tool(require):
    """Run a program of Debian's, and return what it wrote to its standard output."""

    def run(program: str, *words: str, stdin: bytes = b"", **environ: str) -> bytes:
        if shutil.which(program) is None:
            require("tools", f"{program} is not installed")
        environ["PATH"] = os.environ["PATH"]
        done = subprocess.run(
            [program, *words],
            input=stdin,
            env=environ,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def cgi_fcgi(tool, place: str, method: str, path: str, body: bytes = b"", **more: str) -> bytes:
    path, _, query = path.partition("?")
    return tool(
        "cgi-fcgi",
        "-bind",
        "-connect",
        place,
        stdin=body,
        REQUEST_METHOD=method,
        SCRIPT_NAME="",
        PATH_INFO=path,
        QUERY_STRING=query,
        SERVER_NAME="localhost",
        SERVER_PORT="80",
        SERVER_PROTOCOL="HTTP/1.1",
        CONTENT_LENGTH=str(len(body)) if body else "",
        **more,
    )


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_cgi_fcgi(tool, serve, results, runner):
    process = serve(runner, "linted")
    place = f"127.0.0.1:{process.port}"
    answer = cgi_fcgi(tool, place, "GET", "/")
    assert answer.startswith(b"Status: 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\ncontract")
    assert cgi_fcgi(tool, place, "POST", "/echo", BODY).endswith(digest_of(BODY).encode())
    assert cgi_fcgi(tool, place, "GET", "/204").startswith(b"Status: 204 ")
    assert len(cgi_fcgi(tool, place, "GET", "/big?mb=3")) > 3 << 20
    assert cgi_fcgi(tool, place, "GET", "/before").startswith(b"Status: 500 ")
    results.setdefault("tools", {})[f"{runner}: cgi-fcgi"] = "GET, POST, 204, 3 MB, 500"


def spawned(tmp_path: Path, runner: str, *words: str, **environ: str) -> AppProcess:
    if shutil.which("spawn-fcgi") is None:
        return None
    (tmp_path / "contract_app.py").write_text(Path(contract_app.__file__).read_text())
    server = f"[server:main]\nuse = egg:PasteScript#{runner}\n"
    ini = f"[app:main]\npaste.app_factory = contract_app:main\n{server}"
    wrapper = ("spawn-fcgi", "-n", "-s", str(tmp_path / "s"), *words, "--")
    return AppProcess(tmp_path, code=None, ini=ini, wrapper=wrapper, **environ)


@pytest.mark.parametrize("runner", ["flup_fcgi_thread", "flup_fcgi_fork"])
def test_a_socket_on_descriptor_0_from_spawn_fcgi(tool, require, results, tmp_path, runner):
    process = spawned(tmp_path, runner, "-M", "0660")
    if process is None:
        require("tools", "spawn-fcgi is not installed")
    path = tmp_path / "s"
    try:
        process.wait_log(r"listening on fastcgi://unix:(\S+)")
        for _ in range(3):
            assert cgi_fcgi(tool, str(path), "GET", "/").endswith(b"contract")
        assert cgi_fcgi(tool, str(path), "POST", "/echo", BODY).endswith(digest_of(BODY).encode())
        assert process.stop() == 0
        assert path.exists(), "the socket belongs to who made it"
    finally:
        process.kill()
        print(process.log()[-3000:])
    results.setdefault("tools", {})[f"{runner}: spawn-fcgi"] = "unix socket on descriptor 0"


@pytest.mark.parametrize("runner", ["flup_ajp_thread", "flup_ajp_fork"])
def test_nmap(tool, serve, results, runner):
    process = serve(runner)
    scripts = ("ajp-headers", "ajp-methods", "ajp-request", "ajp-auth")
    found = tool(
        "nmap",
        *("-Pn", "-n", "-p", str(process.port), "127.0.0.1"),
        *("--script", ",".join(f"+{name}" for name in scripts)),
        *("--script-args", "path=/nmap"),
    ).decode()
    assert re.search(r"ajp-headers:.*\n.*content-type: application/json", found, re.IGNORECASE)
    assert re.search(r"ajp-request:.*\n.*AJP/1\.3 200 OK", found)
    assert re.search(r'"REQUEST_METHOD": "GET"', found)
    assert "Traceback" not in process.log()
    results.setdefault("tools", {})[f"{runner}: nmap"] = ", ".join(scripts)


@pytest.mark.parametrize("runner", HTTP)
def test_curl(tool, serve, results, runner):
    process = serve(runner, "linted")
    url = f"http://127.0.0.1:{process.port}"
    quiet = ("--silent", "--show-error", "--max-time", "30")
    upload = ("--data-binary", "@-")
    said = digest_of(BODY).encode()
    assert tool("curl", *quiet, f"{url}/", f"{url}/") == b"contractcontract"
    assert tool("curl", *quiet, "--http1.0", f"{url}/") == b"contract"
    assert tool("curl", *quiet, *upload, f"{url}/echo", stdin=BODY) == said
    chunked = ("--header", "Transfer-Encoding: chunked", "--header", "Expect: 100-continue")
    if runner not in HAS_NO_CHUNKS:
        assert tool("curl", *quiet, *upload, *chunked, f"{url}/echo", stdin=BODY) == said
    assert tool("curl", *quiet, "--head", f"{url}/").split()[1] == b"200"
    assert len(tool("curl", *quiet, f"{url}/big?mb=3")) == 3 << 20
    results.setdefault("tools", {})[f"{runner}: curl"] = "keep-alive, 1.0, POST, chunks, HEAD, 3 MB"
