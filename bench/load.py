"""Load by wrk, and what it found."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import NamedTuple


class Load(NamedTuple):
    """What wrk measured; ``failed`` are answers other than 200 and broken connections."""

    rate: float
    requests: int
    failed: int


def ask(port: int, path: str, seconds: float, connections: int) -> Load:
    """Ask for ``path`` over and over for whole seconds, one at least."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    duration = f"-d{max(1, round(seconds))}s"
    url = f"http://127.0.0.1:{port}{path}"
    command = [wrk, "-t1", f"-c{connections}", duration, "--timeout", "10s", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return read(text)


def read(text: str) -> Load:
    """Read wrk's report."""
    total = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", text)
    if total is None or rate is None:
        raise SystemExit(f"wrk said something else:\n{text}")
    failed = sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    failed += sum(int(number) for number in errors.groups()) if errors else 0
    return Load(float(rate[1]), int(total[1]), failed)


def rate(port: int, path: str, seconds: float, connections: int) -> float:
    """Return the requests per second, all of which must have been answered with 200."""
    load = ask(port, path, seconds, connections)
    if load.failed:
        raise SystemExit(f"{load.failed} of {load.requests} requests failed")
    return load.rate
