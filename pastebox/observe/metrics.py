"""Render a snapshot in Prometheus' text format 0.0.4."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Iterable

from pastebox import __version__
from pastebox.observe.counters import BUCKETS_S, CLASSES, Totals
from pastebox.observe.snapshot import Snapshot
from pastebox.observe.status import PHASES

Sample = tuple[str, dict[str, str], float]
"""Suffix of the name, labels, value."""


def render(snapshot: Snapshot) -> str:
    """Return the whole page."""
    return "".join(_family(*family) for family in _families(snapshot))


def _families(snapshot: Snapshot) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield from _process(snapshot)
    yield from _workers(snapshot)
    yield from _configuration(snapshot)
    if snapshot.totals is not None:
        yield from _requests(snapshot.totals)
    yield from _stops(snapshot)


def _process(snapshot: Snapshot) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    build = {"version": __version__, "python": platform.python_version()}
    yield "build_info", "gauge", "Version of pastebox and of Python.", [("", build, 1)]
    yield (
        "start_time_seconds",
        "gauge",
        "When the master began, in seconds since the epoch.",
        _one(snapshot.began),
    )
    yield (
        "phase",
        "gauge",
        "1 for the present phase.",
        [("", {"phase": phase}, phase == snapshot.phase) for phase in PHASES],
    )
    yield (
        "phase_seconds_total",
        "counter",
        "Time spent in each phase.",
        [("", {"phase": phase}, seconds) for phase, seconds in snapshot.spent.items()],
    )
    if snapshot.started_after_s is not None:
        yield (
            "startup_seconds",
            "gauge",
            "From the begin of the master to the first ready generation.",
            _one(snapshot.started_after_s),
        )
    yield "live", "gauge", "Whether /livez says yes.", _one(not snapshot.dead_reason)
    yield (
        "ready",
        "gauge",
        "Whether /readyz says yes, the application's own probe left aside.",
        _one(snapshot.is_ready),
    )


def _workers(snapshot: Snapshot) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield (
        "generation",
        "gauge",
        "Number of the serving worker generation, 0 before the first.",
        _one(snapshot.generation),
    )
    yield "workers", "gauge", "Worker processes alive.", _one(len(snapshot.workers))
    yield (
        "worker_restarts_total",
        "counter",
        "Workers that ended unexpectedly.",
        _one(snapshot.worker_restarts),
    )
    yield (
        "worker_replacements_total",
        "counter",
        "Workers that another one has replaced, or is to, within their generation.",
        [
            ("", {"reason": "death"}, snapshot.worker_restarts),
            ("", {"reason": "max_requests"}, snapshot.workers_recycled),
        ],
    )
    yield (
        "reload_failures_total",
        "counter",
        "Generations that did not load while another one served.",
        _one(snapshot.reload_failures),
    )


def _configuration(snapshot: Snapshot) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield (
        "config_drift",
        "gauge",
        "Whether the configuration's files differ from what is served.",
        _one(bool(snapshot.drift)),
    )
    yield (
        "config_drifts_total",
        "counter",
        "How often they began to.",
        _one(snapshot.drifts),
    )


def _requests(totals: Totals) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield (
        "requests_total",
        "counter",
        "Finished requests.",
        [("", {"class": name}, count) for name, count in zip(CLASSES, totals.classes, strict=True)],
    )
    yield "requests_in_flight", "gauge", "Requests begun, not finished.", _one(totals.in_flight)
    yield (
        "requests_stuck",
        "gauge",
        "Requests that run for longer than stuck_after.",
        _one(totals.stuck),
    )
    yield (
        "request_slots",
        "gauge",
        "How many requests can run at a time, where that is known.",
        _one(totals.threads),
    )
    yield "response_bytes_total", "counter", "Bytes of response bodies.", _one(totals.sent)
    ends = [*(_number(end) for end in BUCKETS_S), "+Inf"]
    counts = itertools.accumulate(totals.buckets)
    buckets = [
        ("_bucket", {"le": end}, float(count)) for end, count in zip(ends, counts, strict=True)
    ]
    yield (
        "request_duration_seconds",
        "histogram",
        "From a request's head to its last byte.",
        [*buckets, ("_sum", {}, totals.seconds), ("_count", {}, sum(totals.buckets))],
    )


def _stops(snapshot: Snapshot) -> Iterable[tuple[str, str, str, Iterable[Sample]]]:
    yield "drains_total", "counter", "Drains begun.", _one(snapshot.drains)
    if snapshot.last_drain_s is not None:
        yield (
            "last_drain_seconds",
            "gauge",
            "How long the last drain took.",
            _one(snapshot.last_drain_s),
        )
    yield (
        "requests_cut_off_total",
        "counter",
        "Requests that a drain did not wait for.",
        _one(snapshot.cut_off),
    )


def _one(value: float) -> list[Sample]:
    return [("", {}, value)]


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP pastebox_{name} {text}", f"# TYPE pastebox_{name} {kind}"]
    for suffix, labels, value in samples:
        pairs = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
        lines.append(f"pastebox_{name}{suffix}{f'{{{pairs}}}' if pairs else ''} {_number(value)}")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
