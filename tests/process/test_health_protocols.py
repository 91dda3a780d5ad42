"""Each protocol, asked once and on the loop: what is well, busy, dead or something else."""

import contextlib
import io
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from pastebox.cli import health as command
from pastebox.health import ajp, fastcgi
from pastebox.health.ask import probe_once
from pastebox.health.cgi import response_head
from pastebox.health.probe import Probe
from pastebox.health.protocol import Protocol
from pastebox.health.scgi import HeadReader
from pastebox.health.target import Target, tcp, unix
from pastebox.process.loop import Loop

pytestmark = pytest.mark.process


def received(sock):
    """Return a few bytes, so that every message comes in pieces."""
    data = sock.recv(7)
    if not data:
        raise ConnectionError("the client has gone")
    return data


def fastcgi_answer(sock, status):
    """Read a request and answer it; return the path."""
    reader, pairs, path = fastcgi.RecordReader(), fastcgi.PairsReader(), ""
    while True:
        for kind, number, content in reader.feed(received(sock)):
            if kind == fastcgi.PARAMS and (found := pairs.feed(content)) is not None:
                path = dict(found)["REQUEST_URI"]
            if kind == fastcgi.STDIN and not content:
                head = response_head(status, [("Content-Type", "text/plain")]) + b"hello"
                sock.sendall(fastcgi.stream(fastcgi.STDERR, number, b"a word"))
                sock.sendall(fastcgi.stream(fastcgi.STDOUT, number, head))
                sock.sendall(fastcgi.record(fastcgi.STDOUT, number) + fastcgi.end_request(number))
                return path


def scgi_answer(sock, status):
    reader = HeadReader()
    while (head := reader.feed(received(sock))) is None:
        pass
    sock.sendall(response_head(status, [("Content-Type", "text/plain")]) + b"hello")
    return head.headers["REQUEST_URI"]


def ajp_answer(sock, status):
    reader = ajp.PacketReader()
    while True:
        for payload in reader.feed(received(sock)):
            if payload[0] == ajp.CPING:
                sock.sendall(ajp.cpong())
                if not reader.is_between or sock.recv(1, socket.MSG_PEEK):
                    continue
                return "cping"
            request = ajp.decode_forward_request(payload)
            number, _, reason = status.partition(" ")
            if request.attributes.get("secret") != "open":
                number, reason = "403", "Forbidden"
            sock.sendall(ajp.send_headers(int(number), reason, [("Content-Type", "text/plain")]))
            sock.sendall(ajp.send_body_chunk(b"hello") + ajp.end_response(reuse=True))
            return request.uri


def http_answer(sock, status):
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(sock)
    sock.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\n\r\nhello".encode())
    return data.split()[1].decode()


ANSWERS = {
    "fastcgi": fastcgi_answer,
    "scgi": scgi_answer,
    "ajp": ajp_answer,
    "http": http_answer,
    "https": http_answer,
}
SCHEMES = {"fastcgi": "fcgi"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Return a file with a key and a certificate that nobody has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    path = str(tmp_path_factory.mktemp("tls") / "pair.pem")
    command_line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=wiki"]
    subprocess.run([*command_line, "-keyout", path, "-out", path + ".crt"], check=True, timeout=60)
    with open(path, "a") as file, open(path + ".crt") as more:
        file.write(more.read())
    return path


class Server:
    """Answers one connection after another; one thread, until closed."""

    def __init__(self, name, status="200 OK", *, path=None, certificate=None):
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen()
            self.target = unix(path)
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.target = tcp(*self.listener.getsockname())
        self.name, self.status = name, status
        self.paths = []
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                break
            sock.settimeout(10)
            with contextlib.suppress(OSError), contextlib.closing(self._wrapped(sock)) as wrapped:
                self.paths.append(ANSWERS[self.name](wrapped, self.status))

    def _wrapped(self, sock):
        try:
            return self.tls.wrap_socket(sock, server_side=True) if self.tls else sock
        except OSError:
            sock.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def once(target, protocol, path="/ready", timeout_s=5.0):
    return probe_once(target, path, timeout_s, protocol=protocol)


def on_loop(target, protocol, path="/ready", timeout_s=5.0):
    """Ask with the loop's probe, the way the master does."""
    loop = Loop()
    found = []
    probe = Probe(loop, target, path, timeout_s=timeout_s, protocol=protocol)
    probe.ask(found.append)
    while not found:
        loop.step(5)
    probe.close()
    loop.close()
    return found[0]


both = pytest.mark.parametrize("ask", [once, on_loop])
each = pytest.mark.parametrize("name", sorted(ANSWERS))


def protocol_of(name):
    return Protocol(name, secret="open" if name == "ajp" else "")


def tls_of(name, request):
    return request.getfixturevalue("certificate") if name == "https" else None


@both
@each
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_the_status_is_the_application_s_own(ask, name, status, request):
    with Server(name, status, certificate=tls_of(name, request)) as server:
        result = ask(server.target, protocol_of(name), path="/ready?a=b")
    expected = "ok" if status == "200 OK" else f"status {status}"
    assert (result.reason, result.body) == (expected, b"hello")
    assert server.paths == ["/ready" if name == "ajp" else "/ready?a=b"]


@both
@each
def test_a_unix_socket_serves_as_well(ask, name, request, tmp_path):
    path = str(tmp_path / "s")
    with Server(name, path=path, certificate=tls_of(name, request)) as server:
        assert ask(server.target, protocol_of(name)).reason == "ok"


@both
@each
def test_a_server_whose_threads_are_all_taken_is_busy(ask, name):
    """The listener accepts by its backlog, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = tcp(*listener.getsockname())
        result = ask(target, protocol_of(name), timeout_s=0.2)
    assert result.reason == f"busy: {target}: connected, but no answer within 0.2 s"


@both
@each
def test_nobody_there_is_dead(ask, name):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = tcp(*listener.getsockname())
    result = ask(target, protocol_of(name))
    assert result.reason == f"dead: {target}: connection refused"


@both
@each
def test_a_server_that_speaks_another_protocol_is_no_dead_one(ask, name, request):
    other = "http" if name != "http" else "https"
    with Server(other, certificate=tls_of(other, request)) as server:
        result = ask(server.target, protocol_of(name), timeout_s=0.3)
    assert not result.ok
    assert result.reason.startswith(("protocol: ", "busy: "))


@both
def test_a_server_that_says_that_it_is_overloaded_is_busy(ask):
    def overloaded(sock, _):
        reader = fastcgi.RecordReader()
        while not reader.feed(received(sock)):
            pass
        sock.sendall(fastcgi.end_request(1, 0, fastcgi.OVERLOADED))

    ANSWERS["overloaded"] = overloaded
    try:
        with Server("overloaded") as server:
            result = ask(server.target, Protocol("fastcgi"))
    finally:
        del ANSWERS["overloaded"]
    assert result.reason == f"busy: {server.target}: the server says that it is overloaded"


@both
def test_ajp_without_a_path_is_a_cping(ask):
    with Server("ajp") as server:
        result = ask(server.target, Protocol("ajp"), path="")
    assert result.reason == "ok"
    assert server.paths == ["cping"]


@both
def test_ajp_without_the_secret_says_what_the_server_says(ask):
    with Server("ajp") as server:
        assert ask(server.target, Protocol("ajp")).reason == "status 403 Forbidden"


@both
def test_a_certificate_is_verified_where_others_could_be(ask, certificate, monkeypatch):
    """The address is loopback all the same; what decides is what the target says of itself."""
    monkeypatch.setattr(Target, "is_loopback", False)
    with Server("https", certificate=certificate) as server:
        result = ask(server.target, Protocol("https"))
    assert result.reason.startswith(f"protocol: {server.target}: TLS: self")


@both
def test_plain_http_where_tls_is_expected_says_so(ask):
    def rude(sock, _):
        received(sock)
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    ANSWERS["rude"] = rude
    try:
        with Server("rude") as server:
            result = ask(server.target, Protocol("https"))
    finally:
        del ANSWERS["rude"]
    assert result.reason == f"protocol: {server.target}: TLS: wrong version number"


@each
@pytest.mark.parametrize("where", ["/deep?x=1", "", "unix"])
def test_the_command_asks_each_by_its_url(name, where, request, tmp_path):
    path = str(tmp_path / "s") if where == "unix" else None
    scheme = SCHEMES.get(name, name)
    environ, out = {"PASTEBOX_AJP_SECRET": "open"}, io.StringIO()
    with Server(name, path=path, certificate=tls_of(name, request)) as server:
        url = f"{scheme}+unix:{path}" if path else f"{scheme}://{server.target}{where}"
        assert command.main([url], environ, out) == 0, out.getvalue()
    asked = where if where.startswith("/") else "/"
    expected = {"/deep?x=1": "/deep", "/": "cping"}[asked] if name == "ajp" else asked
    assert (out.getvalue(), server.paths) == ("ok\n", [expected])
