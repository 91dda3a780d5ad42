"""Recycle workers every few requests, under load, with reloads in between; count what is lost.

    python tests/soak/recycling.py --seconds 60 --workers 2 --use egg:pyramid#wsgiref

Ends with 1 when a request was lost, when a worker died, or when none was recycled.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from app_process import AppProcess
from steady_load import GatewayLoad, SteadyLoad

INI = """\
[app:main]
paste.app_factory = theapp:main
[server:main]
use = {use}
host = 127.0.0.1
port = 0
"""
REPLACED = 'worker_replacements_total{{reason="{}"}}'
PROTOCOLS = {"scgi": "scgi", "fcgi": "fastcgi", "ajp": "ajp"}
KINDS = {"/pid": (4, 0.0), "/slow?s=0.5": (2, 0.5), "/big": (1, 0.0), "/stream?n=20": (1, 0.2)}
"""What the clients ask for, how many there are of each, and how long the answer takes."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--reload", type=float, default=7.0, help="seconds between two HUP")
    parser.add_argument("--use", default="egg:waitress#main")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        app = AppProcess(
            Path(directory),
            ini=INI.format(use=given.use),
            health=True,
            PASTEBOX_WORKERS=str(given.workers),
            PASTEBOX_MAX_REQUESTS=str(given.every),
            PASTEBOX_MAX_REQUESTS_JITTER=str(given.every // 4),
            PASTEBOX_ACCESS_LOG="off",
        )
        try:
            return _run(app, given)
        finally:
            app.kill()


def _run(app: AppProcess, given: argparse.Namespace) -> int:
    app.wait_listening()
    over = threading.Event()
    timer = threading.Timer(given.seconds, over.set)
    timer.start()
    kind = SteadyLoad
    if "flup_" in given.use:
        kind = GatewayLoad
        kind.protocol = PROTOCOLS[given.use.split("_")[1]]
    loads = [
        kind(app.port, path, clients=count, takes_s=seconds)
        for path, (count, seconds) in KINDS.items()
    ]
    reloads = 0
    with contextlib.ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        while not over.wait(given.reload):
            app.signal(signal.SIGHUP)
            reloads += 1
    recycled = app.metric(REPLACED.format("max_requests"))
    died = app.metric(REPLACED.format("death"))
    code = app.stop()
    done = sum(load.counts["done"] for load in loads)
    lost = sum(load.counts["lost"] for load in loads)
    print(
        f"{given.use}: {done} requests, {lost} lost, {recycled:.0f} workers recycled,"
        f" {died:.0f} died, {reloads} reloads, exit status {code}"
    )
    for load in loads:
        print(*load.details, sep="\n", end="\n" if load.details else "")
    if lost or died or code or not recycled:
        print(app.log())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
