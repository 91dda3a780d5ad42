"""Clients that load a server while it is stopped, and a strict account of what they lost.

An exchange is lost when its connection was made and its request sent, but the whole answer did
not come: nothing of it (*failed*) or a part (*truncated*). A connection that is refused after
TERM is no loss: nothing was promised.
"""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from app_process import APP, INI, clean_environ, free_port

BIG = 20 << 20
PATIENCE_S = 60.0


class Shape(NamedTuple):
    """How much load, and how long its parts take."""

    quick: int = 6
    slow: int = 3
    readers: int = 2
    uploads: int = 2
    idle: int = 4
    half_open: int = 4
    slow_s: float = 2.0
    reading_s: float = 1.5
    uploading_s: float = 1.0
    term_after_s: tuple[float, float] = (0.3, 1.5)
    wrk: int = 16


SHORT = Shape(slow_s=0.6, reading_s=0.6, uploading_s=0.4, term_after_s=(0.2, 0.6), wrk=0)


class Stop(NamedTuple):
    """The account of one stop."""

    counts: Counter[str]
    code: int
    seconds: float
    details: tuple[str, ...]
    log: str


class _LostError(Exception):
    """An answer did not come, or not whole."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class _Connection:
    """One connection and the answers on it."""

    def __init__(self, port: int, *, buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self._left = b""
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise _LostError("failed", f"send: {error}") from error

    def answer(self, pause: Callable[[int], None] | None = None) -> tuple[int, bool, bytes]:
        """Return status, whether the server goes on, and the body (of big ones the length)."""
        head = self._head()
        status = int(head.split(b" ", 2)[1])
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        body, count = [], 0
        while count < length:
            part = self._left or self._receive("truncated", f"{count} of {length}")
            taken, self._left = part[: length - count], part[length - count :]
            count += len(taken)
            body.append(taken)
            if pause is not None:
                pause(count)
        keeps = not re.search(rb"(?i)\r\nconnection: *close", head)
        return status, keeps, b"".join(body)

    def _head(self) -> bytes:
        data, self._left = self._left, b""
        while b"\r\n\r\n" not in data:
            data += self._receive("truncated" if data else "failed", f"after {data!r}")
        head, _, self._left = data.partition(b"\r\n\r\n")
        return head

    def _receive(self, kind: str, why: str) -> bytes:
        try:
            part = self.socket.recv(1 << 16)
        except OSError as error:
            raise _LostError(kind, f"{error} {why}") from error
        if not part:
            raise _LostError(kind, f"end of stream {why}")
        return part

    def close(self) -> None:
        self.socket.close()


class Load:
    """All clients of one server."""

    def __init__(self, port: int, shape: Shape) -> None:
        self.counts: Counter[str] = Counter()
        self.details: list[str] = []
        self._port = port
        self._shape = shape
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._held: list[socket.socket] = []
        self._wrk: subprocess.Popen[str] | None = None
        kinds = (
            (shape.quick, self._quick),
            (shape.slow, self._slow),
            (shape.readers, self._reader),
            (shape.uploads, self._upload),
        )
        self._threads = [
            threading.Thread(target=self._repeat, args=(kind, number), daemon=True)
            for count, kind in kinds
            for number in range(count)
        ]

    def start(self) -> None:
        for _ in range(self._shape.idle):
            self._held.append(socket.create_connection(("127.0.0.1", self._port), 10))
        for _ in range(self._shape.half_open):
            half = socket.create_connection(("127.0.0.1", self._port), 10)
            half.sendall(b"GET / HTTP/1.1\r\nHo")
            self._held.append(half)
        if self._shape.wrk and shutil.which("wrk"):
            self._wrk = subprocess.Popen(
                ["wrk", "-t1", f"-c{self._shape.wrk}", "-d600", f"http://127.0.0.1:{self._port}/"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        for thread in self._threads:
            thread.start()

    def term_was_sent(self) -> None:
        """From now on a refused connection is the end of a client, and no loss."""
        self._stopping.set()

    def finish(self) -> None:
        """Wait for the clients, whose server has ended, and add wrk's account."""
        for thread in self._threads:
            thread.join(PATIENCE_S)
            if thread.is_alive():
                self._count("failed", "a client never ended")
        if self._wrk is not None:
            self._wrk.send_signal(signal.SIGINT)
            self._read_wrk(self._wrk.communicate(timeout=30)[0])
        for one in self._held:
            one.close()

    def kill(self) -> None:
        """Leave no program behind, whatever happened."""
        if self._wrk is not None:
            self._wrk.kill()
            self._wrk.wait()

    def _read_wrk(self, text: str) -> None:
        done = re.search(r"(\d+) requests in", text)
        self.counts["answered"] += int(done[1]) if done else 0
        # Its "write" errors are refused connections, which it tries again and again.
        errors = re.search(r"Socket errors: .*read (\d+)", text)
        if errors and int(errors[1]):
            self.counts["failed"] += int(errors[1])
            self.details.append(f"wrk: {errors[0]}")
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        if bad:
            self._count("failed", f"wrk: {bad[0]}")

    def _count(self, kind: str, detail: str = "") -> None:
        with self._lock:
            self.counts[kind] += 1
            if detail:
                self.details.append(f"{kind}: {detail}")

    def _repeat(self, kind: Callable[[int, _Connection], bool], number: int) -> None:
        connection: _Connection | None = None
        served = 0
        while True:
            try:
                if connection is None:
                    buffer = 1 << 16 if kind == self._reader else 0
                    connection, served = _Connection(self._port, buffer=buffer), 0
                keeps = kind(number, connection)
                self._count("answered")
                served += 1
                if not keeps:
                    connection.close()
                    connection = None
            except _LostError as lost:
                about = f"{kind.__name__} after {served} answers on its connection: {lost}"
                self._count(lost.kind, about)
                connection.close()
                if self._stopping.is_set():
                    return
                connection = None
            except OSError as error:  # no connection
                if self._stopping.is_set():
                    self._count("refused")
                    return
                self._count("failed", f"connect before TERM: {error}")
                time.sleep(0.1)

    # -- the kinds -------------------------------------------------------------------------

    def _quick(self, number: int, connection: _Connection) -> bool:
        connection.send(b"GET /?n=%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        status, keeps, body = connection.answer()
        self._check(status, body, b"one")
        return keeps

    def _slow(self, number: int, connection: _Connection) -> bool:
        text = f"GET /slow?s={self._shape.slow_s} HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send(text.encode())
        status, keeps, body = connection.answer()
        self._check(status, body, b"slow")
        return keeps

    def _reader(self, number: int, connection: _Connection) -> bool:
        connection.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        began = time.monotonic()

        def pause(count: int) -> None:
            late = began + self._shape.reading_s * count / BIG - time.monotonic()
            if late > 0.01:
                time.sleep(late)

        status, keeps, body = connection.answer(pause)
        self._check(status, len(body), BIG)
        return keeps

    def _upload(self, number: int, connection: _Connection) -> bool:
        data = bytes([number]) * (1 << 20)
        connection.send(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data)
        )
        for part in range(16):
            connection.send(data[part << 16 : (part + 1) << 16])
            time.sleep(self._shape.uploading_s / 16)
        status, keeps, body = connection.answer()
        expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
        self._check(status, body, expected)
        return keeps

    @staticmethod
    def _check(status: int, found: object, expected: object) -> None:
        if status != 200 or found != expected:
            raise _LostError("failed", f"a wrong answer, status {status}")


PLAIN = """\
import sys
from paste.deploy import loadapp
from waitress import serve
app = loadapp("config:app.ini", relative_to=sys.argv[1])
serve(app, host="127.0.0.1", port=int(sys.argv[2]), threads=12, _quiet=True)
"""


def command_of(peer: str, directory: Path, port: int, gunicorn: str) -> list[str]:
    """Return the command line of the server that is stopped."""
    if peer == "plain":
        return [sys.executable, "-c", PLAIN, str(directory), str(port)]
    if peer == "gunicorn":
        bind = f"--bind=127.0.0.1:{port}"
        ini = f"--paste={directory}/app.ini"
        return [gunicorn, ini, bind, "--worker-class=gthread", "--threads=16", "--workers=1"]
    return [sys.executable, "-m", "pastebox.cli.main", "serve", str(directory / "app.ini")]


def stop_once(
    peer: str,
    directory: Path,
    shape: Shape,
    rng: random.Random,
    *,
    gunicorn: str = "gunicorn",
    use: str = "egg:waitress#main\nthreads = 12",
) -> Stop:
    """Start a server, load it, stop it at a random moment; return the account.

    ``use`` is the server in the INI, with more lines of options.
    """
    port = free_port()
    server = f"host = 127.0.0.1\nport = {port}"
    ini = INI.format(app="", server=server, more="").replace("egg:waitress#main", use)
    (directory / "app.ini").write_text(ini)
    (directory / "theapp.py").write_text(APP)
    log = directory / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command_of(peer, directory, port, gunicorn),
            cwd=directory,
            env=clean_environ(directory, {"PASTEBOX_ACCESS_LOG": "off"}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    load = None
    try:
        _wait_for(port, process, log)
        load = Load(port, shape)
        load.start()
        time.sleep(rng.uniform(*shape.term_after_s))
        load.term_was_sent()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(PATIENCE_S)
        seconds = time.monotonic() - began
        load.finish()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if load is not None:
            load.kill()
    return Stop(load.counts, code, seconds, tuple(load.details), log.read_text(errors="replace"))


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        try:
            connection = _Connection(port)
        except OSError:
            time.sleep(0.02)
            continue
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.answer()
        connection.close()
        return
    raise AssertionError(f"the server did not start:\n{log.read_text()}")
