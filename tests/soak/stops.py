"""Stop a loaded server many times and count what its clients lost.

``python tests/soak/stops.py [--stops 100] [--peer pastebox|plain|gunicorn]``; ``--peer`` can be
repeated. Ends with 1 if pastebox lost anything or ended with another status than 0.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from stop_load import SHORT, Shape, Stop, stop_once

COLUMNS = "{:<9} {:>5} {:>9} {:>6} {:>9} {:>7}  {:<16} {:>7} {:>7}"


def row(peer: str, stops: list[Stop]) -> str:
    """Return one line of the table."""
    total: Counter[str] = sum((stop.counts for stop in stops), Counter())
    codes = Counter(stop.code for stop in stops)
    seconds = [stop.seconds for stop in stops]
    told = " ".join(f"{code}:{count}" for code, count in sorted(codes.items()))
    return COLUMNS.format(
        peer,
        len(stops),
        total["answered"],
        total["failed"],
        total["truncated"],
        total["refused"],
        told,
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
    )


def main(argv: list[str]) -> int:
    """Run the stops; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--peer", action="append", choices=["pastebox", "plain", "gunicorn"])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--short", action="store_true", help="requests of tenths of seconds")
    parser.add_argument("--gunicorn", default="gunicorn", help="the program to run for that peer")
    parser.add_argument("--verbose", action="store_true", help="show each loss and the log")
    chosen = parser.parse_args(argv)
    print(f"seed {chosen.seed}")
    shape = SHORT if chosen.short else Shape()
    lines, wrong = [], 0
    for peer in chosen.peer or ["pastebox"]:
        rng = random.Random(chosen.seed)  # the same moments for every peer
        stops = []
        for number in range(chosen.stops):
            with tempfile.TemporaryDirectory() as directory:
                stop = stop_once(peer, Path(directory), shape, rng, gunicorn=chosen.gunicorn)
            stops.append(stop)
            is_wrong = bool(stop.counts["failed"] or stop.counts["truncated"] or stop.code)
            if is_wrong and (peer == "pastebox" or chosen.verbose):
                print(f"stop {number}: exit {stop.code}, {dict(stop.counts)}")
                print("\n".join(stop.details))
                print(stop.log)
            wrong += is_wrong and peer == "pastebox"
        lines.append(row(peer, stops))
    heads = (
        "server",
        "stops",
        "answered",
        "failed",
        "truncated",
        "refused",
        "exit",
        "median",
        "max",
    )
    print(COLUMNS.format(*heads))
    print("\n".join(lines))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
