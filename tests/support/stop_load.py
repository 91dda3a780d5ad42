"""Clients that load a server while it is stopped, and a strict account of what they lost.

An exchange is lost when its connection was made and its request sent, but the whole answer did
not come: nothing of it (*failed*) or a part (*truncated*). A connection that is refused after
TERM is no loss: nothing was promised.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from app_process import APP, clean_environ, free_port
from stop_peers import Peer, peer_of
from stop_wire import PATIENCE_S, LostError

BIG = 20 << 20


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


class Load:
    """All clients of one server."""

    def __init__(self, port: int, shape: Shape, peer: Peer) -> None:
        self.counts: Counter[str] = Counter()
        self.details: list[str] = []
        self._port = port
        self._shape = shape
        self._peer = peer
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
            half.sendall(self._peer.half)
            self._held.append(half)
        if self._shape.wrk and self._peer.is_http and shutil.which("wrk"):
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

    def _repeat(self, kind: Callable[[int, Any], bool], number: int) -> None:
        connection: Any = None
        served = 0
        while True:
            if served and connection is not None and connection.is_closed():
                self._count("closed idle")
                connection.close()
                connection = None
            try:
                if connection is None:
                    buffer = 1 << 16 if kind == self._reader else 0
                    connection, served = self._peer.connect(self._port, buffer=buffer), 0
                keeps = kind(number, connection)
                self._count("answered")
                served += 1
                if not keeps:
                    connection.close()
                    connection = None
            except LostError as lost:
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

    def _quick(self, number: int, connection: Any) -> bool:
        status, keeps, body = connection.ask(f"/?n={number}")
        self._check(status, body, b"one")
        return keeps

    def _slow(self, number: int, connection: Any) -> bool:
        status, keeps, body = connection.ask(f"/slow?s={self._shape.slow_s}")
        self._check(status, body, b"slow")
        return keeps

    def _reader(self, number: int, connection: Any) -> bool:
        began = time.monotonic()

        def pause(count: int) -> None:
            late = began + self._shape.reading_s * count / BIG - time.monotonic()
            if late > 0.01:
                time.sleep(late)

        status, keeps, body = connection.ask("/big", pause=pause)
        self._check(status, len(body), BIG)
        return keeps

    def _upload(self, number: int, connection: Any) -> bool:
        data = bytes([number]) * (1 << 20)

        def pieces():
            for part in range(16):
                yield data[part << 16 : (part + 1) << 16]
                time.sleep(self._shape.uploading_s / 16)

        status, keeps, body = connection.ask("/upload", pieces(), len(data))
        expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
        self._check(status, body, expected)
        return keeps

    @staticmethod
    def _check(status: int, found: object, expected: object) -> None:
        if status != 200 or found != expected:
            raise LostError("failed", f"a wrong answer, status {status}")


class Server:
    """A server that is to be stopped, in a directory of its own."""

    def __init__(self, peer: Peer, directory: Path, **settings: str) -> None:
        self.peer = peer
        self.port = free_port()
        (directory / "app.ini").write_text(peer.ini(self.port))
        (directory / "theapp.py").write_text(APP)
        self._log = directory / "server.log"
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                peer.command(directory, self.port),
                cwd=directory,
                env=clean_environ(directory, {"PASTEBOX_ACCESS_LOG": "off", **settings}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_serving(self) -> None:
        """Wait for its first answer."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.ask()
            except (OSError, LostError):
                time.sleep(0.02)
                continue
            return
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def ask(self) -> None:
        """Ask once, on a connection of its own.

        Raises:
            LostError, OSError: there was no answer.
        """
        connection = self.peer.connect(self.port)
        try:
            connection.ask("/")
        finally:
            connection.close()

    def stop(self) -> tuple[int, float]:
        """Send TERM; return the exit status and how many seconds the end took."""
        watched = os.pidfd_open(self.process.pid)
        poller = select.poll()
        poller.register(watched, select.POLLIN)
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        poller.poll(1000 * PATIENCE_S)
        seconds = time.monotonic() - began
        os.close(watched)
        return self.process.wait(PATIENCE_S), seconds

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def serving(peer: Peer, directory: Path, **settings: str) -> Iterator[Server]:
    """Have a server that answers."""
    server = Server(peer, directory, **settings)
    try:
        try:
            server.wait_serving()
        except AssertionError:
            if server.process.poll() != 73:  # somebody was faster to take the free port
                raise
            server = Server(peer, directory, **settings)
            server.wait_serving()
        yield server
    finally:
        server.kill()


def stop_once(peer: str | Peer, directory: Path, shape: Shape, rng: random.Random) -> Stop:
    """Start a server, load it, stop it at a random moment; return the account."""
    chosen = peer_of(peer) if isinstance(peer, str) else peer
    with serving(chosen, directory) as server:
        load = Load(server.port, shape._replace(**chosen.shape), chosen)
        try:
            load.start()
            time.sleep(rng.uniform(*shape.term_after_s))
            load.term_was_sent()
            code, seconds = server.stop()
            load.finish()
        finally:
            load.kill()
        return Stop(load.counts, code, seconds, tuple(load.details), server.log())


def stop_idle(peer: str, directory: Path) -> tuple[int, float]:
    """Stop a server that has answered and has nothing to do; return status and seconds."""
    with serving(peer_of(peer), directory) as server:
        return server.stop()


def reload_once(peer: str, directory: Path) -> Counter[str]:
    """Send HUP to a server whose clients make a connection for each request; count their luck."""
    counts: Counter[str] = Counter()
    stopping = threading.Event()
    with serving(peer_of(peer), directory) as server:

        def repeat() -> None:
            while not stopping.is_set():
                try:
                    server.ask()
                except ConnectionRefusedError:
                    counts["refused"] += 1
                except (OSError, LostError) as error:
                    counts["failed"] += 1
                    counts[f"failed: {error}"] += 1
                else:
                    counts["answered"] += 1

        threads = [threading.Thread(target=repeat, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE_S
        while "generation 1 drained" not in server.log():
            if time.monotonic() > end or server.process.poll() is not None:
                counts["no reload"] += 1
                break
            time.sleep(0.02)
        stopping.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        server.stop()
    return counts
