"""What several processes bring: pairs of servers on one INI, measured with wrk in turn.

waitress with two workers, each on a CPU of its own, against plain waitress and against
``gunicorn --paste`` with two workers of four threads; gunicorn and granian behind pastebox beside
their bare selves. wrk needs a CPU as well: on a machine with two of them it takes its share from
every server alike.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.served import APPS, environment, free_port, pastebox, plain, served, show
from bench.throughput import rate

INI = APPS / "hello.ini"
OTHER = """\
[app:main]
paste.app_factory = bench_hello:main

[server:main]
use = {use}
host = 127.0.0.1
port = %(http_port)s
"""


class Peer(NamedTuple):
    """A server in the comparison: its command for a port, and its environment."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]


def ours(ini: Path, port: int, **settings: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the command and the environment of pastebox with these settings."""
    env = environment(PASTEBOX_HEALTH_PORT="off", PASTEBOX_ACCESS_LOG="off", **settings)
    return pastebox(ini, port), env


def other(directory: str, name: str, use: str) -> Path:
    """Write an INI with another server."""
    path = Path(directory) / f"{name}.ini"
    path.write_text(OTHER.format(use=use))
    return path


def bare_gunicorn(port: int, workers: int, threads: int) -> Sequence[str]:
    """Return the command that gunicorn's own users write."""
    script = str(Path(sys.executable).with_name("gunicorn"))
    address = f"--bind=127.0.0.1:{port}"
    numbers = [f"--workers={workers}", f"--threads={threads}"]
    return [script, f"--paste={INI}", f"--paste-global=http_port={port}", address, *numbers]


def bare_granian(port: int, workers: int) -> Sequence[str]:
    """Return the command of granian alone on the same application."""
    script = str(Path(sys.executable).with_name("granian"))
    options = [f"--port={port}", f"--workers={workers}", "--blocking-threads=4", "--no-ws"]
    return [script, "--interface=wsgi", "--factory", *options, "bench_hello:bare"]


def peers(directory: str, ports: Sequence[int]) -> list[Peer]:
    """Return everyone that is installed here, plain waitress first."""
    two = {"PASTEBOX_WORKERS": "2", "PASTEBOX_CPU_AFFINITY": "auto"}
    free = iter(ports)
    port = next(free)
    found = [Peer("plain waitress", plain(INI, port), environment())]
    found.append(Peer("waitress, 2 workers, affinity", *ours(INI, next(free), **two)))
    if importlib.util.find_spec("gunicorn"):
        port = next(free)
        found.append(Peer("gunicorn --paste 2x4", bare_gunicorn(port, 2, 4), environment()))
        ini = other(directory, "gunicorn", "egg:gunicorn#main\nworkers = 2\nthreads = 4")
        found.append(Peer("gunicorn 2x4, ours", *ours(ini, next(free))))
    if importlib.util.find_spec("granian"):
        port = next(free)
        found.append(Peer("granian 1", bare_granian(port, 1), environment()))
        ini = other(directory, "granian", "egg:pastebox#granian\nblocking_threads = 4")
        found.append(Peer("granian 1, ours", *ours(ini, next(free))))
    return found


def main() -> None:
    """Measure everyone in turn and print the medians, each with its ratio to plain waitress."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    ports = [free_port() for _ in range(8)]
    with contextlib.ExitStack() as stack:
        everyone = peers(stack.enter_context(tempfile.TemporaryDirectory()), ports)
        rates: dict[str, list[float]] = {peer.name: [] for peer in everyone}
        for port, peer in zip(ports, everyone, strict=False):
            stack.enter_context(served(peer.command, port, peer.env)).wait_for_200()
        for number in range(given.rounds + 1):
            first = number % len(everyone)
            for at in [*range(first, len(everyone)), *range(first)]:
                measured = rate(ports[at], "/", given.seconds, given.connections)
                if number:
                    rates[everyone[at].name].append(measured)
    print(f"hello, {given.rounds} rounds of {given.seconds:g} s, {given.connections} connections")
    base = rates["plain waitress"]
    for name, values in rates.items():
        show(name, values, "req/s", than=() if values is base else base)
    pairs = {"gunicorn 2x4, ours": "gunicorn --paste 2x4", "granian 1, ours": "granian 1"}
    for name, bare in pairs.items():
        if name in rates:
            show(f"{name} to bare", rates[name], "req/s", than=rates[bare])
    if "gunicorn --paste 2x4" in rates:
        name = "waitress, 2 workers, affinity"
        show("waitress 2 to gunicorn 2x4", rates[name], "req/s", than=rates["gunicorn --paste 2x4"])


if __name__ == "__main__":
    main()
