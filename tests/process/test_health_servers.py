"""Readiness and ``pastebox health`` of real servers, each in its own protocol."""

import shutil
import subprocess
import sys

import pytest
from app_process import AppProcess, clean_environ, free_port, wait_until

pytestmark = pytest.mark.process

INI = """\
[app:main]
paste.app_factory = theapp:main
[server:main]
{server}
"""

SERVERS = [
    pytest.param("fcgi", "egg:PasteScript#flup_fcgi_thread", "", id="fcgi"),
    pytest.param("scgi", "egg:PasteScript#flup_scgi_thread", "", id="scgi"),
    pytest.param("ajp", "egg:PasteScript#flup_ajp_thread", "secret = open", id="ajp"),
    pytest.param("fcgi", "egg:PasteScript#flup_fcgi_fork", "", id="fcgi-fork"),
    pytest.param("http", "egg:pyramid#wsgiref", "", id="wsgiref"),
]


@pytest.fixture
def serve(tmp_path):
    """Start servers with a health port; end them with the test."""
    started = []

    def begin(*lines, **settings):
        process = AppProcess(
            tmp_path,
            ini=INI.format(server="\n".join(lines)),
            health=True,
            PASTEBOX_READY_PATH="/pid",
            **settings,
        )
        started.append(process)
        process.wait_log(r"listening on (\S+)")
        return process

    yield begin
    for process in started:
        process.kill()
        sys.stdout.write(process.log())


def readyz(process):
    return process.get("/readyz?verbose", port=process.health_port)


def health(process, url, **environ):
    """Run the command; return its exit status and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "pastebox.cli.main", "health", url],
        env=clean_environ(process.directory, environ),
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(("scheme", "use", "more"), SERVERS)
def test_a_server_is_ready_when_it_answers_in_its_own_protocol(serve, scheme, use, more):
    port = free_port()
    process = serve(f"use = {use}", "host = 127.0.0.1", f"port = {port}", more)
    wait_until(lambda: readyz(process).status == 200, "readiness")
    url = f"{scheme}://127.0.0.1:{port}"
    assert health(process, f"{url}/", PASTEBOX_AJP_SECRET="open") == (0, "ok\n")
    assert health(process, f"{url}/nowhere", PASTEBOX_AJP_SECRET="open")[1].startswith("status 404")
    assert health(process, url)[0] == 0
    assert process.stop() == 0


def test_a_unix_socket_is_asked_as_well(serve, tmp_path):
    path = tmp_path / "s"
    process = serve("use = egg:PasteScript#flup_fcgi_thread", f"socket = {path}")
    wait_until(lambda: readyz(process).status == 200, "readiness")
    assert health(process, f"fcgi+unix:{path}") == (0, "ok\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_server_with_tls_is_asked_in_tls(serve, tmp_path):
    pytest.importorskip("cheroot")
    pem = tmp_path / "pair.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=wiki"]
    subprocess.run([*command, "-keyout", pem, "-out", f"{pem}.crt"], check=True, timeout=60)
    pem.write_text(pem.read_text() + (tmp_path / "pair.pem.crt").read_text())
    port = free_port()
    process = serve(
        "use = egg:PasteScript#cherrypy", "host = 127.0.0.1", f"port = {port}", f"ssl_pem = {pem}"
    )
    wait_until(lambda: readyz(process).status == 200, "readiness")
    assert health(process, f"https://127.0.0.1:{port}/") == (0, "ok\n")


def test_a_server_whose_threads_are_all_taken_is_busy_and_not_dead(serve, tmp_path):
    import threading

    from pastebox.health.ask import probe_once
    from pastebox.health.protocol import Protocol
    from pastebox.health.target import tcp

    port, gate, mark = free_port(), tmp_path / "gate", tmp_path / "mark"
    process = serve(
        "use = egg:PasteScript#flup_scgi_thread",
        "host = 127.0.0.1",
        f"port = {port}",
        "maxThreads = 1",
        "maxSpare = 1",
        "minSpare = 1",
    )
    wait_until(lambda: readyz(process).status == 200, "readiness")
    slow = f"/slow?s=30&until={gate}&mark={mark}"
    asked = (tcp("127.0.0.1", port), slow, 30.0, (), Protocol("scgi"))
    thread = threading.Thread(target=probe_once, args=asked)
    thread.start()
    wait_until(mark.exists, "the slow request")
    try:
        found = wait_until(lambda: (a := readyz(process)).status != 200 and a, "no readiness")
        assert f"busy: 127.0.0.1:{port}: connected, but no answer" in found.text
        assert process.get("/livez", port=process.health_port).status == 200
    finally:
        gate.touch()
        thread.join(30)
    wait_until(lambda: readyz(process).status == 200, "readiness")
