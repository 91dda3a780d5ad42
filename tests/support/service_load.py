"""Clients of a Service at a constant rate while its pods change, and a strict account of each.

A request that did not end with a whole answer of status 200 has failed; one whose answer began is
truncated as well. Nothing is sent a second time.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from typing import NamedTuple, Self

from app_process import wait_until

PATIENCE_S = 30.0
SLOW_S = 2.0
SLOW_END = b"end\n"


class Sent(NamedTuple):
    """A request: of which kind, when it began and how long it took, what was wrong."""

    kind: str
    began: float
    seconds: float
    is_truncated: bool
    failure: str


class Client(NamedTuple):
    """A kind of client."""

    kind: str
    path: str
    keeps: bool
    every_s: float


CLIENTS = (
    *[Client("keep-alive", "/", keeps=True, every_s=0.05)] * 4,
    *[Client("new connection", "/", keeps=False, every_s=0.1)] * 4,
    *[Client("2 s", f"/slow?seconds={SLOW_S}", keeps=True, every_s=0.0)] * 2,
    *[Client("2 s", f"/slow?seconds={SLOW_S}", keeps=False, every_s=0.0)] * 2,
)


class ServiceLoad:
    """The clients, in threads; a context manager that ends them."""

    def __init__(self, host: str, port: int, clients: tuple[Client, ...] = CLIENTS) -> None:
        self.sent: list[Sent] = []
        self._address = host, port
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(one,)) for one in clients]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + SLOW_S)

    def wait_for(self, count: int) -> None:
        """Wait until so many more requests have ended."""
        target = len(self.sent) + count
        wait_until(lambda: len(self.sent) >= target, f"{count} more requests")

    @property
    def failures(self) -> list[Sent]:
        """The requests that failed."""
        return [one for one in list(self.sent) if one.failure]

    def p99(self, since: float = 0.0, until: float = float("inf")) -> float:
        """Return the milliseconds that one request of a hundred exceeds, the slow ones left out."""
        chosen = sorted(
            one.seconds
            for one in list(self.sent)
            if since <= one.began < until and one.kind != "2 s" and not one.failure
        )
        return chosen[int(len(chosen) * 0.99)] * 1000 if chosen else float("nan")

    def account(self, since: float = 0.0) -> str:
        """Say in one line what happened."""
        chosen = [one for one in list(self.sent) if one.began >= since]
        failed = sum(bool(one.failure) for one in chosen)
        truncated = sum(one.is_truncated for one in chosen)
        return f"sent={len(chosen)} failed={failed} truncated={truncated}"

    def _work(self, client: Client) -> None:
        connection = None
        due = time.monotonic()
        while not self._is_over.is_set():
            connection = connection or http.client.HTTPConnection(
                *self._address, timeout=PATIENCE_S
            )
            is_kept = self._ask(connection, client)
            if not is_kept:
                connection.close()
                connection = None
            due = max(due + client.every_s, time.monotonic())
            self._is_over.wait(max(0.0, due - time.monotonic()))
        if connection is not None:
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection, client: Client) -> bool:
        """Send one request and account for it; return whether the connection can be kept."""
        began, response, body, failure = time.monotonic(), None, b"", ""
        try:
            connection.request("GET", client.path)
            with contextlib.closing(connection.getresponse()) as response:
                body = response.read()
            if response.status != 200:
                failure = f"status {response.status}: {body[:100]!r}"
            elif client.kind == "2 s" and not body.endswith(SLOW_END):
                failure = f"half an answer: {body!r}"
        except (OSError, http.client.HTTPException) as error:
            failure = repr(error)
        is_truncated = bool(failure) and response is not None and response.status == 200
        seconds = time.monotonic() - began
        self.sent.append(Sent(client.kind, began, seconds, is_truncated, failure))
        return client.keeps and not failure and response is not None and not response.will_close
