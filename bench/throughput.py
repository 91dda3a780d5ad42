"""Requests per second of pastebox and of plain waitress on the same INI, measured with wrk.

Both servers run all the time; wrk asks them in turn, so that a drift of the machine meets both.
``access_log=off`` is what plain waitress has; the default ``combined`` is shown beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import tempfile
from pathlib import Path

from bench.load import rate
from bench.served import APPS, environment, free_port, pastebox, plain, served, show

WIKI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(here)s/wiki.db
session.secret = this-is-the-bench-session-secret-0123456789

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
threads = 4
"""


def compare(title: str, ini: Path, path: str, rounds: int, seconds: float) -> None:
    """Measure three servers of one INI in turn and print the medians."""
    rates: dict[str, list[float]] = {"plain": [], "off": [], "combined": []}
    with contextlib.ExitStack() as stack:
        ports = {}
        for name in rates:
            port = ports[name] = free_port()
            env = environment(PASTEBOX_HEALTH_PORT="off", PASTEBOX_ACCESS_LOG=name)
            if name == "plain":
                env = environment()
            command = plain(ini, port) if name == "plain" else pastebox(ini, port)
            stack.enter_context(served(command, port, env)).wait_for_200(path)
        for number in range(rounds + 1):
            order = list(rates)[number % 3 :] + list(rates)[: number % 3]
            for name in order:
                measured = rate(ports[name], path, seconds, connections=32)
                if number:
                    rates[name].append(measured)
    print(f"{title}, {rounds} rounds of {seconds:g} s, interleaved, 32 connections")
    show("plain waitress", rates["plain"], "req/s")
    show("pastebox, no access log", rates["off"], "req/s", than=rates["plain"])
    show("pastebox, access log", rates["combined"], "req/s", than=rates["plain"])


def main() -> None:
    """Measure the hello application and, where it is installed, the wiki's front page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    given = parser.parse_args()
    compare("hello", APPS / "hello.ini", "/", given.rounds, given.seconds)
    with tempfile.TemporaryDirectory() as directory:
        ini = Path(directory) / "wiki.ini"
        ini.write_text(WIKI)
        command = [*pastebox(ini, 0)[:1], "setup", str(ini), "http_port=0"]
        subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
        compare("wiki, front page", ini, "/", given.rounds, given.seconds)


if __name__ == "__main__":
    main()
