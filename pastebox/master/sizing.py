"""How many workers: as somebody said, or by the CPUs and the memory that the container has."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

from pastebox.process.cgroup import Limits

MOST = 12
"""More than this is never guessed: who has such a machine knows what he wants."""
KEPT_MB = 64
"""Memory left to the master, and to what the workers share."""
PER_WORKER_MB = 64
"""What a worker of a middling application takes (Pyramid with SQLAlchemy: 50 to 60 MB)."""
_MB = 1 << 20


class Size(NamedTuple):
    """A number of workers and why, in words for the log."""

    workers: int
    why: str


def told_cpus(workers: int) -> str:
    """Say which CPUs the workers share, for the log."""
    if not hasattr(os, "sched_getaffinity"):
        return "cpu_affinity=auto: no effect, this system has no CPU masks"
    allowed = sorted(os.sched_getaffinity(0))
    each = "each worker on one of its own" if workers <= len(allowed) else "several workers on one"
    told = ",".join(map(str, allowed))
    return f"cpu_affinity=auto: {each} workers={workers} cpus={told}"


def size(limits: Limits, *, per_cpu: float = 1.0) -> Size:
    """Return how many workers fit: ``per_cpu`` for each CPU, as the memory allows, at most MOST."""
    cpus = float(limits.cpus)
    told = [f"cpus {limits.cpus}"]
    if limits.quota is not None and limits.quota < cpus:
        cpus = limits.quota
        told = [f"cpu quota {limits.quota:g}"]
    count = max(1, math.ceil(cpus * per_cpu))
    if limits.memory is not None:
        told.append(f"memory {limits.memory // _MB} MB")
        count = min(count, max(1, (limits.memory // _MB - KEPT_MB) // PER_WORKER_MB))
    if count > MOST:
        count = MOST
        told.append(f"at most {MOST}")
    return Size(count, f"workers={count} from {', '.join(told)}")
