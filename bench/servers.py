"""Every runner beside the same server in the hands of its own users, in one interleaved run.

``python -m bench.servers [RUNNER ...] [--write]``: pairs of servers on the same application, asked
by wrk in turn, for the requests per second, the processor time of each request, and memory.
FastCGI, SCGI and AJP are asked by a client of ours. Then the wait of single requests over
connections that a front end keeps, nginx or Apache. ``--write`` puts the figures where the
reference pages are made from, and makes those.

The clients need a CPU as well: they take their share from both sides alike.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench import direct, figures, fronts, load, pauses
from bench.load import Load
from bench.pairs import PAIRS, TWO_WORKERS, Command, Pair, bare, chosen, ours
from bench.served import Server, answers, environment, free_port, served

LEAST_ROUNDS = 3


class Side(NamedTuple):
    """One server of the run.

    Attributes:
        name: its row.
        is_ours: whether pastebox serves it.
        server: its process.
        protocol: what it speaks.
        address: its port, or the path of its Unix socket.
    """

    name: str
    is_ours: bool
    server: Server
    protocol: str
    address: str

    def ask(self, seconds: float, connections: int) -> Load:
        """Load it."""
        if self.protocol == "http":
            return load.ask(int(self.address), "/", seconds, connections)
        return direct.ask(self.protocol, self.address, seconds, connections)

    def wait(self) -> None:
        """Wait until it answers."""
        if self.protocol == "http":
            self.server.wait_for_200()
            return
        until = time.monotonic() + 30
        while not direct.ask(self.protocol, self.address, 0.0, 1).requests:
            if time.monotonic() > until:
                raise SystemExit(f"no answer\n{self.server.output()}")


class Measured:
    """What was found of one server, round by round."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.cpu_us: list[float] = []
        self.requests = self.failed = 0
        self.memory_mb = 0.0

    def row(self) -> dict[str, Any]:
        """Return the medians."""
        return {
            "rate": round(median(self.rates), 1),
            "rates": [round(rate) for rate in self.rates],
            "cpu_us": round(median(self.cpu_us), 1),
            "memory_mb": round(self.memory_mb, 1),
            "requests": self.requests,
            "failed": self.failed,
        }


class Field:
    """All servers of a run, started one after the other and stopped together."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.sides: list[Side] = []
        self.ways: list[fronts.Way] = []
        self._stack = stack

    def add(self, pair: Pair, *, is_ours: bool, name: str = "", **settings: str) -> None:
        """Start one side of a pair."""
        port = free_port()
        address = str(port)
        if pair.is_unix:
            address = str(self.directory / f"{len(self.sides)}.sock")
        command = (
            ours(pair, address, self.directory, **settings) if is_ours else bare(pair, address)
        )
        side = Side(name or pair.name, is_ours, self._start(command, port), pair.protocol, address)
        side.wait()
        self.sides.append(side)

    def keep(self, side: Side) -> int:
        """Have a front end keep its connections to a server; return the front end's port."""
        port = free_port()
        behind = f"127.0.0.1:{side.address}"
        self.ways.append(fronts.Way(port, side.protocol, behind))
        return port

    def open(self) -> None:
        """Start the front ends, and wait until everybody is reached through them."""
        ajp = [way for way in self.ways if way.protocol == "ajp"]
        rest = [way for way in self.ways if way.protocol != "ajp"]
        for ways, configure in ((rest, fronts.nginx), (ajp, fronts.apache)):
            if not ways:
                continue
            command = Command(configure(self.directory, ways), environment())
            front = self._start(command, ways[0].port)
            for way in ways:
                _wait(way.port, front)

    def _start(self, command: Command, port: int) -> Server:
        return self._stack.enter_context(served(command.words, port, command.env))


def _wait(port: int, front: Server) -> None:
    until = time.monotonic() + 30
    while not answers(port):
        if time.monotonic() > until:
            raise SystemExit(f"no answer through a front end\n{front.output()}")
        time.sleep(0.02)


def measure(sides: Sequence[Side], given: argparse.Namespace) -> dict[tuple[str, bool], Measured]:
    """Ask everyone in turn, the two sides of a pair next to each other."""
    found = {(side.name, side.is_ours): Measured() for side in sides}
    names = list(dict.fromkeys(side.name for side in sides))
    until = time.monotonic() + 60 * given.minutes
    for number in range(given.rounds + 1):
        if time.monotonic() > until and number > LEAST_ROUNDS:
            print(f"time is up after {number - 1} rounds", file=sys.stderr, flush=True)
            break
        for name in names:
            both = [side for side in sides if side.name == name]
            for side in both if number % 2 else reversed(both):
                before = side.server.cpu_seconds()
                found_now = side.ask(given.seconds, given.connections)
                spent = side.server.cpu_seconds() - before
                if number and found_now.requests:  # the first round warms up
                    one = found[side.name, side.is_ours]
                    one.rates.append(found_now.rate)
                    one.cpu_us.append(1e6 * spent / found_now.requests)
                    one.requests += found_now.requests
                    one.failed += found_now.failed
        print(f"round {number} of {given.rounds}", file=sys.stderr, flush=True)
    for side in sides:
        found[side.name, side.is_ours].memory_mb = side.server.memory_mb()
    return found


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runner", nargs="*", help="only these; everything that is installed else")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--minutes", type=float, default=8, help="no round begins after them")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument(
        "--write", action="store_true", help="write docs/reference/servers.json and the pages"
    )
    given = parser.parse_args()
    pairs = chosen(given.runner)
    with contextlib.ExitStack() as stack:
        field = Field(stack)
        for pair in pairs:
            field.add(pair, is_ours=True)
            field.add(pair, is_ours=False)
            print(f"started {pair.name}", file=sys.stderr, flush=True)
        if not given.runner or "waitress" in given.runner:
            two = {"PASTEBOX_WORKERS": "2", "PASTEBOX_CPU_AFFINITY": "auto"}
            field.add(PAIRS[0], is_ours=True, name=TWO_WORKERS, **two)
        waits = pauses.prepare(field, pairs)
        field.open()
        found = measure(field.sides, given)
        latencies = [wait.measure() for wait in waits]
    rows = [figures.row(pair, found[pair.name, True], found[pair.name, False]) for pair in pairs]
    report = figures.report(rows, latencies, given)
    if (TWO_WORKERS, True) in found:
        report["two_workers"] = {"name": TWO_WORKERS, "ours": found[TWO_WORKERS, True].row()}
    report["goals"] = figures.goals(report)
    figures.show(report)
    if given.write:
        figures.write(report)


if __name__ == "__main__":
    main()
