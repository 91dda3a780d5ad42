"""What this process may use: CPUs and memory by its control group (v1 and v2), its CPU mask.

Sources: the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/, proc(5) for /proc/self/cgroup.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

_NO_LIMIT = 1 << 60
"""Version 1 says "no limit" by a number near the end of the address space."""


class Limits(NamedTuple):
    """What the kernel allows.

    Attributes:
        cpus: CPUs that this process may run on (its mask, and the group's cpuset).
        quota: CPU time per time, such as 1.5; ``None`` without a limit.
        memory: bytes; ``None`` without a limit.
    """

    cpus: int
    quota: float | None
    memory: int | None


def read_limits(
    root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup", cpus: int | None = None
) -> Limits:
    """Read the limits of this process; ``cpus`` replaces its CPU mask, for tests.

    Every group on the way up limits those below, so the least counts. A file that is not there or
    cannot be read limits nothing.
    """
    groups = _groups(membership)
    v2 = [*_up(root, groups.get("", "/"))]
    quotas = [_quota_v2(_text(path, "cpu.max")) for path in v2]
    memories = [_number(_text(path, "memory.max")) for path in v2]
    sets = [_cpuset(_text(path, "cpuset.cpus.effective")) for path in v2]
    quotas += [_quota_v1(path) for path in _up_v1(root, groups, "cpu")]
    v1 = _up_v1(root, groups, "memory")
    memories += [_number(_text(path, "memory.limit_in_bytes")) for path in v1]
    for path in _up_v1(root, groups, "cpuset"):
        effective = _text(path, "cpuset.effective_cpus") or _text(path, "cpuset.cpus")
        sets.append(_cpuset(effective))
    allowed = cpus if cpus is not None else _cpu_mask()
    return Limits(
        cpus=min([allowed, *(count for count in sets if count)]),
        quota=min((quota for quota in quotas if quota is not None), default=None),
        memory=min((memory for memory in memories if memory is not None), default=None),
    )


def _cpu_mask() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _groups(membership: str) -> dict[str, str]:
    """Return the path of each controller's group; version 2 is the controller without a name."""
    found = {}
    try:
        with open(membership, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                _, controllers, path = line.rstrip("\n").split(":", 2)
                found.update(dict.fromkeys(controllers.split(","), path))
    except (OSError, ValueError):
        return found
    return found


def _up(root: str, path: str) -> Iterator[str]:
    """Yield the group's directory and those above it, as far as they can be seen from here.

    Inside a container the group's own directory is mostly what is mounted as the root.
    """
    path = path.rstrip("/")
    if "/.." in path:  # a group that cannot be seen from this name space
        path = ""
    while path:
        directory = root + path
        if os.path.isdir(directory):
            yield directory
        path = path.rpartition("/")[0]
    yield root


def _up_v1(root: str, groups: dict[str, str], controller: str) -> Iterator[str]:
    if controller in groups:
        for mount in (controller, "cpu,cpuacct", "cpuacct,cpu"):
            base = os.path.join(root, mount)
            if os.path.isdir(base) and controller in mount.split(","):
                yield from _up(base, groups[controller])
                return


def _text(directory: str, name: str) -> str:
    try:
        with open(os.path.join(directory, name), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and 0 < int(text) < _NO_LIMIT else None


def _quota_v2(text: str) -> float | None:
    quota, _, period = text.partition(" ")
    return _ratio(quota, period)


def _quota_v1(directory: str) -> float | None:
    return _ratio(_text(directory, "cpu.cfs_quota_us"), _text(directory, "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
        return int(quota) / int(period)
    return None


def _cpuset(text: str) -> int:
    """Count the CPUs of a list such as ``0-3,8``; 0 when there is none."""
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return 0
        count += int(last or first) - int(first) + 1
    return count
