"""Who a process is, so that a later start can tell whether it still lives.

A pid alone is used again; with the start time of ``/proc/<pid>/stat`` (field 22, proc(5)) and
the boot id of the kernel it is not.
"""

import os
from typing import NamedTuple

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Holder(NamedTuple):
    """A process on a host: the start time is in clock ticks since boot, empty when unknown."""

    pid: int
    started: str
    boot_id: str
    hostname: str

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.hostname}"


def present_holder() -> Holder:
    """Describe this process."""
    pid = os.getpid()
    return Holder(pid, start_time(pid), _read(_BOOT_ID).strip(), os.uname().nodename)


def is_alive(holder: Holder) -> bool:
    """Whether that very process runs here; one of another host or boot counts as dead."""
    here = present_holder()
    if (holder.boot_id, holder.hostname) != (here.boot_id, here.hostname):
        return False
    return bool(holder.started) and start_time(holder.pid) == holder.started


def start_time(pid: int) -> str:
    """Return the start time of a process in clock ticks, empty when there is no such process."""
    # The name in parentheses may itself hold spaces and parentheses.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""  # noqa: PLR2004  # proc(5)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
