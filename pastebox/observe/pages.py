"""The pages of the health port: a path and a snapshot in, an answer out."""

from typing import Any, NamedTuple

from pastebox.observe.moment import iso
from pastebox.observe.snapshot import Check, Snapshot

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
HTML = "text/html; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"

_INDEX = """\
/livez    is the master alive, and no worker stuck or in a crash loop
/startupz which phase, since when (JSON)
/readyz   should requests be sent here (?verbose names each check)
/metrics  for Prometheus
/status   for people
"""


class Page(NamedTuple):
    """An answer, before HTTP."""

    status: int
    content_type: str
    body: bytes


def text_page(status: int, text: str) -> Page:
    """Return a plain text; a newline is added."""
    return Page(status, TEXT, f"{text}\n".encode(errors="backslashreplace"))


def asks_application(path: str) -> bool:
    """Say whether the page's answer depends on the application's own."""
    return path in ("/readyz", "/healthz")


def respond(
    path: str, query: str, accept: str, snapshot: Snapshot, application: Check | None = None
) -> Page:
    """Return the page.

    Args:
        path: ``/readyz``.
        query: what follows ``?``.
        accept: the Accept header; only ``application/json`` makes a difference.
        snapshot: the facts.
        application: what the application's own probe said, where one is configured: now for
            ``/readyz``, at last for ``/status``.
    """
    if asks_application(path):
        return _ready(query, accept, snapshot, application)
    if path == "/status":
        return _status(snapshot, application)
    page = {
        "/": _index,
        "/livez": _live,
        "/startupz": _startup,
        "/metrics": _metrics,
    }.get(path)
    if page is None:
        return text_page(404, f"not found; there are:\n{_INDEX.rstrip()}")
    return page(snapshot)


def _index(_snapshot: Snapshot) -> Page:
    return text_page(200, _INDEX.rstrip())


def _live(snapshot: Snapshot) -> Page:
    if snapshot.dead_reason:
        return text_page(503, snapshot.dead_reason)
    return text_page(200, "ok")


def _startup(snapshot: Snapshot) -> Page:
    is_started = snapshot.started_after_s is not None
    elapsed = snapshot.elapsed_s if snapshot.started_after_s is None else snapshot.started_after_s
    facts = {
        "started": is_started,
        "phase": snapshot.phase,
        "detail": snapshot.detail,
        "since": iso(snapshot.since),
        "elapsed": round(elapsed, 3),
        "phase_elapsed": round(max(0.0, snapshot.now - snapshot.since), 3),
        "phases": {phase: round(seconds, 3) for phase, seconds in snapshot.spent.items()},
    }
    return _json(200 if is_started else 503, facts)


def _ready(query: str, accept: str, snapshot: Snapshot, application: Check | None) -> Page:
    checks = [*snapshot.checks, *([application] if application else [])]
    if load := snapshot.load:
        checks = [
            one._replace(fact=f"{one.fact}, {load}")
            if one.name in ("workers", "application")
            else one
            for one in checks
        ]
    is_ready = all(check.ok for check in checks)
    status = 200 if is_ready else 503
    if "application/json" in accept.lower():
        return _json(
            status,
            {
                "ready": is_ready,
                "phase": snapshot.phase,
                "since": iso(snapshot.since),
                "checks": [check._asdict() for check in checks],
            },
        )
    if "verbose" in (word.partition("=")[0] for word in query.split("&")):
        return text_page(status, _verbose(checks, snapshot.drift, is_ready=is_ready))
    failed = "; ".join(f"{check.name}: {check.fact}" for check in checks if not check.ok)
    return text_page(status, f"not ready: {failed}" if failed else "ok")


def _verbose(checks: list[Check], drift: str, *, is_ready: bool) -> str:
    lines = [
        f"[+]{check.name} ok" if check.ok else f"[-]{check.name} failed: {check.fact}"
        for check in checks
    ]
    if drift:  # no reason to send requests elsewhere
        lines.append(f"[~]configuration {' '.join(drift.split())}")
    return "\n".join([*lines, f"readyz check {'passed' if is_ready else 'failed'}"])


def _metrics(snapshot: Snapshot) -> Page:
    from pastebox.observe.metrics import render  # noqa: PLC0415  # not before the first scrape

    return Page(200, METRICS, render(snapshot).encode())


def _status(snapshot: Snapshot, application: Check | None) -> Page:
    from pastebox.observe.status_page import render  # noqa: PLC0415  # not before somebody looks

    return Page(200, HTML, render(snapshot, application).encode(errors="backslashreplace"))


def _json(status: int, facts: dict[str, Any]) -> Page:
    import json  # noqa: PLC0415  # start-up does without it

    return Page(status, JSON, (json.dumps(facts) + "\n").encode())
