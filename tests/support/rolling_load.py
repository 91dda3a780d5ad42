"""Visitors of a wiki while its servers are replaced, and a strict account of what they met.

Whatever is not a whole answer with the status that it must have is a failure: a refused
connection, a reset, half an answer, 502.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from wiki_reader import Reader

Ask = Callable[[int], None]

PATIENCE_S = 60.0
PATHS = ("/", "/page/How_to_write", "/pages", "/static/wiki.css", "/search?q=wiki")


class Load:
    """Readers on kept and on new connections, and writers, until :meth:`finish`."""

    def __init__(self, port: int, *, prefix: str = "", readers: int = 4, writers: int = 2) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest_s = 0.0
        self._port = port
        self._prefix = prefix
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        kinds = [self._keep_reading, self._read_anew] * (readers // 2) + [self._write] * writers
        self._threads = [
            threading.Thread(target=self._repeat, args=(kind, number), daemon=True)
            for number, kind in enumerate(kinds)
        ]

    def start(self) -> Load:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def wait_for(self, count: int) -> None:
        """Wait until so many more answers have come."""
        target, end = sum(self.counts.values()) + count, time.monotonic() + PATIENCE_S
        while sum(self.counts.values()) < target:
            assert time.monotonic() < end, self.account()
            time.sleep(0.01)

    def finish(self) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            if thread.is_alive():
                self.failures.append(f"{thread.name} never ended")
        self._seconds = time.monotonic() - self._began

    def account(self) -> str:
        """Say in one line what happened."""
        told = " ".join(f"{name}={count}" for name, count in sorted(self.counts.items()))
        return f"{told} failed={len(self.failures)} slowest={self.slowest_s:.2f} s"

    def rate(self) -> float:
        """Return the answers per second, once it has finished."""
        return sum(self.counts.values()) / self._seconds

    def _repeat(self, kind: Callable[[int], AbstractContextManager[Ask]], number: int) -> None:
        turn = 0
        while not self._is_over.is_set():
            began = time.monotonic()
            try:
                with kind(number) as ask:
                    while not self._is_over.is_set():
                        began, turn = time.monotonic(), turn + 1
                        ask(turn)
                        self._count(kind.__name__.strip("_"), time.monotonic() - began)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                at = f"{kind.__name__} at {began - self._began:.2f} s"
                with self._lock:
                    self.failures.append(f"{at}: {error!r}")

    def _count(self, name: str, seconds: float) -> None:
        with self._lock:
            self.counts[name] += 1
            self.slowest_s = max(self.slowest_s, seconds)

    @contextlib.contextmanager
    def _keep_reading(self, number: int) -> Iterator[Ask]:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)

        def ask(turn: int) -> None:
            client.request("GET", self._prefix + PATHS[(number + turn) % len(PATHS)])
            answer = client.getresponse()
            body = answer.read()
            assert answer.status == 200, (answer.status, body[:200])

        with contextlib.closing(client):
            yield ask

    @contextlib.contextmanager
    def _read_anew(self, number: int) -> Iterator[Ask]:
        def ask(turn: int) -> None:
            with self._keep_reading(number) as ask_once:
                ask_once(turn)

        yield ask

    @contextlib.contextmanager
    def _write(self, number: int) -> Iterator[Ask]:
        reader = Reader(f"http://127.0.0.1:{self._port}{self._prefix}")

        def ask(turn: int) -> None:
            reader.write(f"Rolling{number}", f"Turn {turn} of {number}.")

        yield ask
