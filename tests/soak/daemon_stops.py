"""What becomes of requests, lines and exit statuses in daemon mode, and under plain supervisord.

``python tests/soak/daemon_stops.py [--stops 50] [--peer NAME] [--matrix [--image IMAGE]]``

Stops a loaded application with a chattering program beside it, and counts what clients lost and
which lines are missing. ``--matrix`` ends programs in every way and tells with what, and how long
after the start, the whole ends: as processes, or as containers of an image. Ends with 1 if daemon
mode lost anything or ended with another status than it promises.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from app_process import APP, INI, clean_environ, free_port
from daemon_peers import PEERS, lost_lines
from stop_load import SHORT, Shape, stop_once

HEADS = ("supervised by", "stops", "answered", "failed", "truncated", "lines lost", "exit")
HEADS += ("seconds: median", "most")
ENDS = {
    "exits 0": ("exit 0", 0),
    "exits 3": ("exit 3", 3),
    "exits 70": ("exit 70", 70),
    "exits 137": ("exit 137", 137),
    "SIGSEGV": ("kill -SEGV $$", 139),
    "cannot be started": (None, 127),
    "crash loop": ("sleep 0.3; exit 9", 9),
}
STAYS_S = 12.0
"""Longer than the default budget takes: what runs then, goes on."""


class Case(NamedTuple):
    """One end of one program."""

    name: str
    essential: bool
    under: str


def stop_many(name: str, chosen: argparse.Namespace) -> tuple[tuple[str, ...], bool]:
    """Stop one of the peers under load; return its row, and whether something was lost."""
    rng = random.Random(chosen.seed)
    total: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    seconds: list[float] = []
    lines = 0
    for number in range(chosen.stops):
        with tempfile.TemporaryDirectory(prefix="pb-") as directory:
            shape = SHORT if chosen.short else Shape()
            stop = stop_once(PEERS[name], Path(directory), shape, rng)
        lost = lost_lines(stop.log)
        total += stop.counts
        codes[stop.code] += 1
        lines += abs(lost)
        seconds.append(stop.seconds)
        if name == "daemon" and (stop.counts["failed"] or stop.counts["truncated"] or lost):
            print(f"{name}: stop {number}: lines {lost}", *stop.details, sep="\n", flush=True)
    row = (
        name,
        str(chosen.stops),
        *(str(total[kind]) for kind in ("answered", "failed", "truncated")),
        str(lines),
        " ".join(f"{code}: {count}" for code, count in sorted(codes.items())),
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
    )
    return row, bool(total["failed"] or total["truncated"] or lines or set(codes) != {0})


def ends(case: Case, image: str) -> tuple[int | None, float]:
    """Run one case; return its exit status (``None``: it goes on) and the seconds to it."""
    with tempfile.TemporaryDirectory(prefix="pb-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        shell = ENDS[case.name][0]
        job = "/no/such/program" if shell is None else f"sh -c '{shell}'"
        (directory / "theapp.py").write_text(APP)
        web = INI.format(app="", server=f"host = 127.0.0.1\nport = {free_port()}", more="")
        (directory / "app.ini").write_text(web)
        place = "/app" if image else name
        conf = f"[program:job]\ncommand={job}\nessential={str(case.essential).lower()}\n"
        (directory / "more").mkdir()
        (directory / "more" / "job.conf").write_text(conf)
        serve = f"pastebox serve {place}/app.ini"
        (directory / "supervisord.conf").write_text(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
            f"pidfile=/tmp/pid-{os.getpid()}\n[program:web]\ncommand={serve}\n{conf}"
        )
        words = ["supervisord", "-n", "-c", f"{place}/supervisord.conf"]
        if case.under == "daemon":
            words = ["pastebox", "serve", "--mode", "daemon", f"{place}/app.ini"]
        settings = {"PASTEBOX_SUPERVISOR_DIR": f"{place}/more", "PASTEBOX_SETUP": "never"}
        if not image:
            settings["PASTEBOX_RUN_DIR"] = name
        return _run(words, settings, directory, image)


def _run(
    words: list[str], settings: dict[str, str], directory: Path, image: str
) -> tuple[int | None, float]:
    environ = clean_environ(directory, settings)
    container = f"pb-matrix-{os.getpid()}"
    if image:
        variables = [f"--env={n}={v}" for n, v in {**settings, "PYTHONPATH": "/app"}.items()]
        mount = f"--volume={directory}:/app:ro"
        words = ["docker", "run", "--rm", "--name", container, mount, *variables, image, *words]
    else:
        environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    began = time.monotonic()
    out = subprocess.DEVNULL
    with subprocess.Popen(words, cwd=directory, env=environ, stdout=out, stderr=out) as process:
        try:
            code: int | None = process.wait(STAYS_S)
        except subprocess.TimeoutExpired:
            code = None
            if image:
                stop = ["docker", "stop", container]
                subprocess.run(stop, stdout=out, stderr=out, timeout=60, check=False)
            else:
                process.terminate()
        seconds = time.monotonic() - began
        process.wait(60)
    return code, seconds


def matrix(image: str) -> bool:
    """Print every end of every kind of program; return whether one of ours is wrong."""
    print("| program | essential | non-essential | plain supervisord |\n| --- | --- | --- | --- |")
    wrong = False
    for name, (_, expected) in ENDS.items():
        cells = []
        for essential, under in ((True, "daemon"), (False, "daemon"), (False, "supervisord")):
            code, seconds = ends(Case(name, essential, under), image)
            cells.append("goes on" if code is None else f"{code} after {seconds:.1f} s")
            wrong |= under == "daemon" and code != (expected if essential else None)
        print("| " + " | ".join([name, *cells]) + " |", flush=True)
    return wrong


def main(argv: list[str]) -> int:
    """Run what is asked for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--peer", action="append", choices=PEERS, metavar="NAME")
    parser.add_argument("--matrix", action="store_true", help="the ends of programs instead")
    parser.add_argument("--image", default="", help="in containers of this image")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--short", action="store_true", help="requests of tenths of seconds")
    chosen = parser.parse_args(argv)
    if chosen.matrix:
        return int(matrix(chosen.image))
    print(f"seed {chosen.seed}")
    print("| " + " | ".join(HEADS) + " |\n| --- |" + " ---: |" * (len(HEADS) - 1), flush=True)
    wrong = False
    for name in chosen.peer or PEERS:
        row, is_lossy = stop_many(name, chosen)
        print("| " + " | ".join(row) + " |", flush=True)
        wrong |= is_lossy and name == "daemon"
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
