"""Measure what ``pastebox health`` costs beyond the bare interpreter, and what it leaves behind.

    python bench/health_cost.py [--rounds 50] [--runs 500]

The rounds are interleaved. CPU time is user and system time of the child, as the kernel counts
it. This process takes orphans in (Linux), so that a zombie left by a run would be counted.
Ends with 1 when a figure breaks its promise.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import threading
import time

from pastebox.observe import status as phases
from pastebox.observe.port import HealthPort, bind
from pastebox.observe.status import Status
from pastebox.process.loop import Loop

PROMISE_MS = 25.0
PR_SET_CHILD_SUBREAPER = 36


def serve() -> int:
    """Start a health port in a thread, ready; return its port number."""
    loop, status = Loop(), Status()
    port = HealthPort(loop, bind("127.0.0.1", 0), status)
    status.generation_started(1)
    status.worker_started(0, os.getpid())
    status.generation_ready(1)
    status.enter(phases.SERVING)
    threading.Thread(target=loop.run, daemon=True).start()
    return port.port


def cost_ms(command: list[str]) -> tuple[float, float]:
    """Run once; return its CPU and elapsed time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    elapsed, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * cpu, 1000 * elapsed


def children() -> dict[int, str]:
    """Return pid and state of every child of this process."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                state, parent = file.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found[int(name)] = state
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=50, help="interleaved rounds")
    parser.add_argument(
        "--runs", type=int, default=500, help="runs after which children are counted"
    )
    options = parser.parse_args()
    port = str(serve())
    script = os.path.join(os.path.dirname(sys.executable), "pastebox")
    question = ["health", "--health-port", port]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -m pastebox.cli.main health": [
            sys.executable,
            "-m",
            "pastebox.cli.main",
            *question,
        ],
        "pastebox health": [script, *question],
        "pastebox health --json": [script, *question, "--json"],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(options.rounds):
        for name, command in commands.items():
            found[name].append(cost_ms(command))
    bare = statistics.median(cpu for cpu, _ in found["python -c pass"])
    for name, times in found.items():
        cpu = statistics.median(cpu for cpu, _ in times)
        wall = statistics.median(elapsed for _, elapsed in times)
        print(
            f"{name:36} cpu {cpu:6.1f} ms  beyond bare {cpu - bare:+6.1f} ms  wall {wall:6.1f} ms"
        )
    beyond = statistics.median(cpu for cpu, _ in found["pastebox health"]) - bare
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for _ in range(options.runs):
        subprocess.run(commands["pastebox health"], check=True, stdout=subprocess.DEVNULL)
    left = children()
    print(
        f"after {options.runs} runs: {len(left)} processes left, of them zombies: "
        f"{list(left.values()).count('Z')}"
    )
    print(f"promise: at most {PROMISE_MS:.0f} ms beyond bare, no process left")
    return int(beyond > PROMISE_MS or bool(left))


if __name__ == "__main__":
    sys.exit(main())
