"""What a thousand idle connections and two hundred slow headers cost everybody else.

The rate of 32 busy connections is measured with and without the crowd, in turn, on the same
server; ``/livez`` is asked all the while.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
import urllib.request

from bench.load import rate
from bench.served import APPS, environment, free_port, pastebox, served, show


class Crowd:
    """Idle keep-alive connections, and clients that send a header byte by byte."""

    def __init__(self, port: int, idle: int, slow: int) -> None:
        self._idle = [self._asked_once(port) for _ in range(idle)]
        self._slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(slow)]
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._trickle, daemon=True)
        self._thread.start()

    @staticmethod
    def _asked_once(port: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(65536)
        return connection

    def _trickle(self) -> None:
        text = b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 4000
        for byte in text:
            for connection in self._slow:
                try:
                    connection.send(bytes([byte]))
                except OSError:
                    continue
            if self._is_over.wait(1.0):
                return

    def leave(self) -> None:
        """Close everything."""
        self._is_over.set()
        self._thread.join(5)
        for connection in self._idle + self._slow:
            connection.close()


def live_latencies(port: int, seconds: float, found: list[float]) -> None:
    """Ask /livez every 20 ms, each time on a new connection; milliseconds go to ``found``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
            answer.read()
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.02)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=200)
    given = parser.parse_args()
    port, health = free_port(), free_port()
    env = environment(PASTEBOX_HEALTH_PORT=str(health), PASTEBOX_ACCESS_LOG="off")
    alone: list[float] = []
    crowded: list[float] = []
    live: list[float] = []
    with served(pastebox(APPS / "hello.ini", port), port, env) as server:
        server.wait_for_200()
        rate(port, "/", 1, 32)
        for _ in range(given.rounds):
            alone.append(rate(port, "/", given.seconds, 32))
            crowd = Crowd(port, given.idle, given.slow)
            asker = threading.Thread(target=live_latencies, args=(health, given.seconds, live))
            asker.start()
            crowded.append(rate(port, "/", given.seconds, 32))
            asker.join()
            crowd.leave()
    print(f"{given.idle} idle and {given.slow} slow connections, {given.rounds} rounds, in turn")
    show("alone", alone, "req/s")
    show("with the crowd", crowded, "req/s", than=alone)
    live.sort()
    print(
        f"/livez under that load: p50 {live[len(live) // 2]:.1f} ms,"
        f" p99 {live[int(len(live) * 0.99)]:.1f} ms, {len(live)} requests"
    )


if __name__ == "__main__":
    main()
