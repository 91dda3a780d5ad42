"""Stop a loaded server many times and count what its clients lost; `--table` does it with all.

``python tests/soak/stops.py [--stops 100] [--runner NAME] [--table]``; ``--runner`` can be
repeated, and is a runner, or a peer without pastebox (``plain``, ``bare gunicorn``). Ends with 1
if a runner of ours lost anything or ended with another status than 0.
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
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from contract_cases import CASES
from stop_load import SHORT, Shape, Stop, reload_once, stop_idle, stop_once
from stop_peers import FOREIGN, PEERS, RUNNERS

HEADS = ("server", "stops", "answered", "failed", "truncated", "exit", "seconds: median", "most")
MORE_HEADS = ("idle TERM ms: median", "most", "HUP: answered", "refused", "failed")
MISSING = {case.name: case.missing for case in CASES if case.missing}


class Account(NamedTuple):
    """What became of one server."""

    cells: tuple[str, ...]
    is_wrong: bool


def stop_many(peer: str, chosen: argparse.Namespace) -> Account:
    """Stop a server under load; print what it lost."""
    rng = random.Random(chosen.seed)  # the same moments for every server
    stops: list[Stop] = []
    total: Counter[str] = Counter()
    for number in range(chosen.stops):
        with tempfile.TemporaryDirectory() as directory:
            shape = SHORT if chosen.short else Shape()
            stop = stop_once(peer, Path(directory), shape, rng)
        stops.append(stop)
        total += stop.counts
        if stop.counts["failed"] or stop.counts["truncated"] or stop.code:
            print(
                f"{peer}: stop {number}: exit {stop.code}, {dict(stop.counts)}",
                *stop.details,
                stop.log if chosen.verbose else "",
                sep="\n",
                flush=True,
            )
    codes = Counter(stop.code for stop in stops)
    seconds = [stop.seconds for stop in stops]
    cells = (
        peer,
        str(len(stops)),
        *(str(total[kind]) for kind in ("answered", "failed", "truncated")),
        " ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
    )
    is_lossy = bool(total["failed"] or total["truncated"] or set(codes) != {0})
    return Account(cells, is_lossy and peer in RUNNERS and peer not in FOREIGN)


def idle_and_reload(peer: str, chosen: argparse.Namespace) -> tuple[str, ...]:
    """Stop a server that has nothing to do, and reload one that has."""
    ends = []
    for _ in range(chosen.idle):
        with tempfile.TemporaryDirectory() as directory:
            ends.append(1000 * stop_idle(peer, Path(directory))[1])
    luck: Counter[str] = Counter()
    for _ in range(chosen.reloads):
        with tempfile.TemporaryDirectory() as directory:
            luck += reload_once(peer, Path(directory))
    for words, count in luck.items():
        if words not in ("answered", "refused", "failed"):
            print(f"{peer}: reload: {words}: {count}", flush=True)
    return (
        f"{statistics.median(ends):.0f}",
        f"{max(ends):.0f}",
        *(str(luck[kind]) for kind in ("answered", "refused", "failed")),
    )


def main(argv: list[str]) -> int:
    """Run the stops; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--runner", action="append", choices=PEERS, metavar="NAME")
    parser.add_argument("--table", action="store_true", help="all runners, idle TERM and HUP too")
    parser.add_argument("--idle", type=int, default=5, help="stops while idle, for the table")
    parser.add_argument("--reloads", type=int, default=3, help="reloads, for the table")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--short", action="store_true", help="requests of tenths of seconds")
    parser.add_argument("--verbose", action="store_true", help="show the log of each loss")
    chosen = parser.parse_args(argv)
    print(f"seed {chosen.seed}")
    heads = HEADS + MORE_HEADS if chosen.table else HEADS
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    wrong = 0
    for peer in chosen.runner or (RUNNERS if chosen.table else ("pastebox",)):
        if MISSING.get(peer):
            lines.append(f"| {peer} | {MISSING[peer]} |" + " |" * (len(heads) - 2))
            continue
        account = stop_many(peer, chosen)
        wrong += account.is_wrong
        cells = account.cells + (idle_and_reload(peer, chosen) if chosen.table else ())
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    print("\n".join(lines))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
