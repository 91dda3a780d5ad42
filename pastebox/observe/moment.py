"""Render points in time for logs and headers, in UTC, without the locale."""

from __future__ import annotations

import functools
import time

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@functools.lru_cache(maxsize=4)
def clf_second(second: int) -> str:
    """Return the time of an access log: ``21/Nov/2026:08:00:00 +0000``."""
    t = time.gmtime(second)
    return (
        f"{t.tm_mday:02}/{_MONTHS[t.tm_mon - 1]}/{t.tm_year:04}"
        f":{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )


@functools.lru_cache(maxsize=4)
def iso_second(second: int) -> str:
    """Return ``2026-11-21T08:00:00``, to which a fraction and a ``Z`` can be added."""
    t = time.gmtime(second)
    return f"{t.tm_year:04}-{t.tm_mon:02}-{t.tm_mday:02}T{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02}"


def iso(moment: float) -> str:
    """Return ``2026-11-21T08:00:00.123Z`` for seconds since the epoch."""
    second, milliseconds = divmod(int(moment * 1000), 1000)
    return f"{iso_second(second)}.{milliseconds:03}Z"


@functools.lru_cache(maxsize=4)
def http_date(second: int) -> str:
    """Return the time of a Date header (RFC 9110, IMF-fixdate)."""
    t = time.gmtime(second)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04}"
        f" {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )
