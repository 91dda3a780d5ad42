"""The kinds of request of the grid: one strict function each, asked through HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
from collections.abc import Callable

from app_process import wait_until
from contract_app import BLOCK
from contract_wire import digest_of, read_whole
from grid_rows import mark_of
from grid_stand import Stand

BIG = 50
"""MiB."""
LEAVERS = 12
STAYING = 3
"""Connections that a front end may keep for later, and threads that may have been started."""
FAILED = (AssertionError, OSError, http.client.HTTPException)
"""What a cell fails with."""


def get(stand: Stand) -> None:
    """The answer, and what the application is told of the request."""
    base = stand.row.front.base
    reply = stand.client.ask(path=base + "/")
    assert (reply.status, reply.body) == (200, b"contract")
    assert reply.headers["content-length"] == "8"
    assert reply.headers["content-type"] == "text/plain"
    path = base + "/environ/a%20b%2Cc/%C3%A9?q=%20&r=%2F"
    environ = json.loads(stand.client.ask(path=path, X_Word="w").text)
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["SCRIPT_NAME"] == base
    assert environ["PATH_INFO"] == "/environ/a b,c/\xc3\xa9"
    assert environ["QUERY_STRING"] == "q=%20&r=%2F"
    assert environ["HTTP_X_WORD"] == "w"
    assert environ["wsgi.url_scheme"] == "http"
    assert not [name for name in environ if name.startswith("HTTP_CONTENT")]
    if stand.transport != "unix" or stand.row.speaks != "http":
        assert environ["REMOTE_ADDR"] == stand.host


def head(stand: Stand) -> None:
    """The header of GET, and nothing after it."""
    base = stand.row.front.base
    with contextlib.closing(stand.client.place.connect()) as connection:
        line = f"HEAD {base}/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(line.encode())
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    start, _, body = data.partition(b"\r\n\r\n")
    assert b" 200 " in start.splitlines()[0]
    assert b"content-length: 8" in start.lower()
    assert body == b""


def post_nothing(stand: Stand) -> None:
    """A body of no bytes."""
    _post(stand, b"")


def post_1mb(stand: Stand) -> None:
    """A body arrives whole, by its digest."""
    _post(stand, BLOCK)


def post_50mb(stand: Stand) -> None:
    """A body arrives whole, by its digest."""
    _post(stand, BIG * BLOCK)


def _post(stand: Stand, data: bytes) -> None:
    path = stand.row.front.base + "/echo"
    reply = stand.client.ask("POST", path, data, Content_Type="application/x-anything")
    assert (reply.status, reply.text) == (200, digest_of(data))


def chunked(stand: Stand) -> None:
    """A body whose length nobody knows before its end, in chunks of very different sizes."""
    parts = [b"x", b"y" * 70_000, BLOCK, b"z" * 10]
    reply = stand.client.ask("POST", stand.row.front.base + "/echo", iter(parts))
    assert (reply.status, reply.text) == (200, digest_of(b"".join(parts)))


def put(stand: Stand) -> None:
    """A body that the application reads by lines."""
    body = b"one\n" + b"two\n" * 1000 + b"three"
    reply = stand.client.ask("PUT", stand.row.front.base + "/lines", body)
    assert (reply.status, reply.text) == (200, r"b'one\n' 1001 b'\nthree'")


def no_content(stand: Stand) -> None:
    """No body, no length, and the connection goes on."""
    _bodiless(stand, 204)


def not_modified(stand: Stand) -> None:
    """No body, the ETag, and the connection goes on."""
    reply = _bodiless(stand, 304)
    assert reply.headers["etag"] == '"x"'


def _bodiless(stand: Stand, status: int):
    """A body would be taken for the next answer on the connection."""
    base = stand.row.front.base
    with contextlib.closing(stand.client.connection()) as connection:
        reply = stand.client.ask(path=f"{base}/{status}", on=connection)
        assert (reply.status, reply.body) == (status, b"")
        assert "transfer-encoding" not in reply.headers
        assert reply.headers.get("content-length", "0") == "0"
        assert stand.client.ask(path=base + "/", on=connection).body == b"contract"
    return reply


def streaming(stand: Stand) -> None:
    """The first part arrives while the application still waits."""
    base = stand.row.front.base
    until = stand.directory / "go-on"
    with contextlib.closing(stand.client.connection()) as connection:
        connection.request("GET", f"{base}/stream?until={until}")
        response = connection.getresponse()
        assert response.read(6) == b"first\n"
        until.touch()
        assert response.read() == b"last\n"
    until.unlink()


def write(stand: Stand) -> None:
    """What ``write`` is given comes before what is returned."""
    reply = stand.client.ask(path=stand.row.front.base + "/write")
    assert (reply.status, reply.body) == (200, b"written returned")


def download(stand: Stand) -> None:
    """50 MB with their length, by their digest."""
    with contextlib.closing(stand.client.connection()) as connection:
        connection.request("GET", f"{stand.row.front.base}/big?mb={BIG}")
        response = connection.getresponse()
        assert response.getheader("Content-Length") == str(BIG * len(BLOCK))
        digest, size = hashlib.sha256(), 0
        while part := response.read(1 << 16):
            size += len(part)
            digest.update(part)
    assert size == BIG * len(BLOCK)
    assert digest.digest() == hashlib.sha256(BIG * BLOCK).digest()


def error_before(stand: Stand) -> None:
    """Before ``start_response``, and after it: 500 both, and no word of why."""
    for name in ("before", "begun"):
        reply = stand.client.ask(path=f"{stand.row.front.base}/{name}")
        assert (reply.status, reply.is_whole) == (500, True)
        assert b"Traceback" not in reply.body
    _goes_on(stand)


def error_after_length(stand: Stand) -> None:
    """The answer has promised more than came."""
    _error_after(stand, "/after?length=1")


def error_after(stand: Stand) -> None:
    """The answer has no length, so only its missing end says that it is not whole."""
    _error_after(stand, "/after")


def _error_after(stand: Stand, path: str) -> None:
    """It is raised when the client has the first bytes.

    What comes all at once lighttpd passes on without a length or chunks, so that its end is whole.
    """
    until = stand.directory / "fail"
    mark = "&" if "?" in path else "?"
    with contextlib.closing(stand.client.connection()) as connection:
        connection.request("GET", f"{stand.row.front.base}{path}{mark}until={until}")
        response = connection.getresponse()
        assert response.status == 200
        first = response.read(10)
        until.touch()
        rest = read_whole(response)
    until.unlink()
    assert first == b"x" * 10
    assert not rest.is_whole, f"it looks complete: {rest}"
    _goes_on(stand)


def _goes_on(stand: Stand) -> None:
    assert stand.client.ask(path=stand.row.front.base + "/").body == b"contract"


def client_leaves(stand: Stand) -> None:
    """In a download, in an upload, in a stream: nothing stays of it."""
    _leave(stand)
    before = stand.census()
    _leave(stand)

    def is_as_before() -> bool:
        now = stand.census()
        return now[0] <= before[0] + STAYING and now[1] <= before[1] + STAYING

    wait_until(is_as_before, f"descriptors and threads to be (about) {before}")


def _leave(stand: Stand) -> None:
    base = stand.row.front.base
    rest = " HTTP/1.1\r\nHost: localhost\r\n"
    for number in range(LEAVERS):
        with contextlib.closing(stand.client.place.connect()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            if number % 3 == 0:
                connection.sendall(f"GET {base}/big?mb={BIG}{rest}\r\n".encode())
                assert connection.recv(1000)
            elif number % 3 == 1:
                header = f"POST {base}/echo{rest}Content-Length: 1000000\r\n\r\n"
                connection.sendall(header.encode() + b"x" * 100_000)
            else:
                until = stand.directory / f"leave-{number}"
                connection.sendall(f"GET {base}/stream?until={until}{rest}\r\n".encode())
                assert connection.recv(1000)
                until.touch()
    _goes_on(stand)
    stand.wait_quiet()


def keep_alive(stand: Stand) -> None:
    """One connection of the client serves three requests; one of the front end, where it can."""
    base = stand.row.front.base
    with contextlib.closing(stand.client.connection()) as connection:
        seen = []
        for _ in range(3):
            assert stand.client.ask(path=base + "/", on=connection).body == b"contract"
            seen.append((connection.sock, stand.upstream_connections()))
    sockets = {one for one, _ in seen}
    assert len(sockets) == 1
    assert None not in sockets, "the connection was closed"
    if stand.row.reuses and stand.transport != "unix":
        assert seen[0][1] & seen[1][1] & seen[2][1], f"another connection to the server: {seen}"


def unix(stand: Stand) -> None:
    """Every kind again, over a unix socket; what is marked in the row is left out."""
    _again(stand, "unix", list(KINDS))


def ipv6(stand: Stand) -> None:
    """What depends on an address, between IPv6 addresses all along."""
    _again(stand, "ipv6", ["get", "post_1mb", "chunked", "streaming", "error_after_length"])


def _again(stand: Stand, transport: str, kinds: list[str]) -> None:
    row, failed = stand.row, []
    with Stand(row, transport) as other:
        for kind in kinds:
            is_marked = mark_of(row, kind) or mark_of(row, f"{transport}:{kind}")
            if is_marked or kind in ("unix", "ipv6"):
                continue
            try:
                KINDS[kind](other)
            except FAILED as error:
                failed.append(f"{kind}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed) + "\n" + other.last_words


KINDS: dict[str, Callable[[Stand], object]] = {
    "get": get,
    "head": head,
    "post_0": post_nothing,
    "post_1mb": post_1mb,
    "post_50mb": post_50mb,
    "chunked": chunked,
    "put": put,
    "204": no_content,
    "304": not_modified,
    "streaming": streaming,
    "write": write,
    "download": download,
    "error_before": error_before,
    "error_after_length": error_after_length,
    "error_after": error_after,
    "client_leaves": client_leaves,
    "keep_alive": keep_alive,
    "unix": unix,
    "ipv6": ipv6,
}
"""The columns."""
