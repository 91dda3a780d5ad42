"""What a thousand idle connections and two hundred slow headers cost everybody else.

``python -m bench.idle [--runner NAME|all] [--write]``: the rate of 32 busy connections is measured
with and without the crowd, in turn, on the same server; ``/livez`` is asked all the while.
``--write`` puts the figures beside those of ``bench.servers``.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
import time
import urllib.request
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench import figures
from bench.crowd import Crowd
from bench.pairs import PAIRS, Pair, ours
from bench.served import free_port, served, show
from bench.servers import Side

LEAST = 0.9
"""Of the rate without the crowd: what is left beside it."""
CLOSES = ("wsgiref", "scgi")
"""Who closes each connection with its answer."""


def live_latencies(port: int, seconds: float, found: list[float]) -> None:
    """Ask /livez every 20 ms, each time on a new connection; milliseconds go to ``found``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
            answer.read()
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.02)


class Busy(NamedTuple):
    """One round of load."""

    rate: float
    cpu_us: float


def _busy(side: Side, health: int, seconds: float, live: list[float]) -> Busy:
    """Load a server, with its health port asked beside it in every round alike."""
    asker = threading.Thread(target=live_latencies, args=(health, seconds, live))
    before = side.server.cpu_seconds()
    asker.start()
    load = side.ask(seconds, 32)
    asker.join()
    spent = side.server.cpu_seconds() - before
    return Busy(load.rate, 1e6 * spent / max(1, load.requests))


def measure(pair: Pair, given: argparse.Namespace) -> dict[str, Any]:
    """Measure one runner and print what was found."""
    keeps = not any(word in pair.runner for word in CLOSES)
    port, health = free_port(), free_port()
    alone: list[Busy] = []
    crowded: list[Busy] = []
    live: list[float] = []
    left = given.idle
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        command = ours(pair, str(port), directory, PASTEBOX_HEALTH_PORT=str(health))
        server = stack.enter_context(served(command.words, port, command.env))
        side = Side(pair.name, True, server, pair.protocol, str(port))
        side.wait()
        side.ask(1, 32)
        for _ in range(given.rounds):
            alone.append(_busy(side, health, given.seconds, []))
            crowd = Crowd(pair.protocol, port, given.idle, given.slow, keeps=keeps)
            crowded.append(_busy(side, health, given.seconds, live))
            left = min(left, crowd.left())
            crowd.leave()
        alone.append(_busy(side, health, given.seconds, []))
    # The machine drifts: each round with the crowd stands between two without it.
    between = [(one.rate + other.rate) / 2 for one, other in pairwise(alone)]
    ratio = median(one.rate / other for one, other in zip(crowded, between, strict=True))
    show(f"{pair.name}, alone", [one.rate for one in alone], "req/s")
    show(f"{pair.name}, with the crowd", [one.rate for one in crowded], "req/s")
    cpu = [median(one.cpu_us for one in some) for some in (alone, crowded)]
    live.sort()
    print(
        f"  ratio {ratio:.3f}, CPU of a request {cpu[0]:.0f} and {cpu[1]:.0f} µs,"
        f" {left} idle connections kept,"
        f" /livez p50 {live[len(live) // 2]:.1f} ms, p99 {live[int(len(live) * 0.99)]:.1f} ms",
        flush=True,
    )
    return {
        "name": pair.runner,
        "alone": round(median(one.rate for one in alone), 1),
        "crowded": round(median(one.rate for one in crowded), 1),
        "cpu_us": [round(one, 1) for one in cpu],
        "ratio": round(ratio, 3),
        "kept": left,
        "livez_p99_ms": round(live[int(len(live) * 0.99)], 1),
    }


def main() -> None:
    """Measure, print, and write where asked to."""
    firsts = {pair.runner: pair for pair in reversed(PAIRS) if not pair.is_unix}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", default="waitress", choices=[*sorted(firsts), "all"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=7, help="no runner begins after them")
    parser.add_argument("--write", action="store_true", help="write docs/reference/servers.json")
    given = parser.parse_args()
    print(f"{given.idle} idle and {given.slow} slow connections, {given.rounds} rounds, in turn")
    chosen = {pair.runner: firsts[pair.runner] for pair in PAIRS}
    if given.runner != "all":
        chosen = {given.runner: chosen[given.runner]}
    until = time.monotonic() + 60 * given.minutes
    rows = []
    for name, pair in chosen.items():
        if time.monotonic() > until:
            print(f"time is up: {name} and what follows was not measured")
            break
        rows.append(measure(pair, given))
    below = [row["name"] for row in rows if row["ratio"] < LEAST]
    print(f"below {LEAST:.0%}: {', '.join(below) or 'nobody'}", flush=True)
    if given.write:
        date = datetime.now(UTC).date().isoformat()
        facts = {"date": date, "idle": given.idle, "slow": given.slow, "rounds": given.rounds}
        figures.write({"idle": {**facts, "rows": rows}})


if __name__ == "__main__":
    main()
