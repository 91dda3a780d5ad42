"""Render a snapshot as a page for people: no script, good on a phone, light and dark."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

from pastebox import __version__
from pastebox.observe.counters import CLASSES, Totals
from pastebox.observe.moment import iso_second
from pastebox.observe.snapshot import Check, Snapshot, WorkerFact

_STYLE = """\
:root{color-scheme:light dark;--ok:#1a7f37;--bad:#cf222e;--soft:#6e7781;--line:#8883}
@media (prefers-color-scheme:dark){:root{--ok:#4ac26b;--bad:#ff7b72;--soft:#9198a1}}
body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.05rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}.ok{color:var(--ok)}.bad{color:var(--bad)}.soft{color:var(--soft)}
div{overflow-x:auto}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);
vertical-align:top;font-variant-numeric:tabular-nums}th{font-weight:600}
code,td{overflow-wrap:break-word}a{color:inherit}
"""

_HIDDEN = frozenset({"set"})
"""Settings whose value may hold a secret of the application."""


def render(snapshot: Snapshot, application: Check | None = None) -> str:
    """Return the whole page; ``application`` is what its probe said last."""
    checks = [*snapshot.checks, *([application] if application else [])]
    word, colour = _verdict(snapshot, checks)
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{word} - pastebox</title>",
        "<meta name=viewport content='width=device-width,initial-scale=1'>",
        f"<style>{_STYLE}</style>",
        f"<h1 class={colour}>{word}</h1>",
        *_lead(snapshot),
        *_checks(checks),
        *_workers(snapshot),
        *_requests(snapshot),
        *_troubles(snapshot),
        *_phases(snapshot),
        *_configuration(snapshot),
        "<p class=soft>This page does not refresh itself. <a href=metrics>metrics</a>",
        "<a href='readyz?verbose'>readyz</a> <a href=startupz>startupz</a> <a href=livez>livez</a>",
    ]
    return "\n".join(parts) + "\n"


def _verdict(snapshot: Snapshot, checks: Sequence[Check]) -> tuple[str, str]:
    if snapshot.dead_reason:
        return "Not live: a restart is due", "bad"
    if all(check.ok for check in checks):
        return "Serving", "ok"
    if snapshot.is_ready:
        return "Not ready: the application does not answer well", "bad"
    if snapshot.started_after_s is None:
        return f"Starting: {_text(snapshot.phase)}", "soft"
    return f"Not ready: {_text(snapshot.phase)}", "bad"


def _lead(snapshot: Snapshot) -> Iterable[str]:
    if snapshot.dead_reason:
        yield f"<p class=bad>{_text(snapshot.dead_reason)}"
    detail = f": {_text(snapshot.detail)}" if snapshot.detail else ""
    yield (
        f"<p>Phase <b>{_text(snapshot.phase)}</b> for {_span(snapshot.now - snapshot.since)}"
        f"{detail} <span class=soft>since {_when(snapshot.since)}</span>"
    )
    first = snapshot.started_after_s
    took = f", first ready after {_span(first)}" if first is not None else ", never ready yet"
    yield f"<p>Up for {_span(snapshot.elapsed_s)}{took}"
    if snapshot.binds:
        yield f"<p>Listening on <code>{_text(', '.join(snapshot.binds))}</code>"


def _checks(checks: Iterable[Check]) -> Iterable[str]:
    yield from _table(
        "Ready?",
        ("check", "", "fact"),
        (
            (
                _text(check.name),
                "<span class=ok>ok</span>" if check.ok else "<b class=bad>failed</b>",
                _text(check.fact),
            )
            for check in checks
        ),
    )


def _workers(snapshot: Snapshot) -> Iterable[str]:
    title = f"Workers of generation {snapshot.generation}" if snapshot.generation else "Workers"
    if snapshot.loading:
        title += f", generation {snapshot.loading} is loading"
    rows = [
        (
            str(worker.pid),
            str(worker.generation),
            _span(worker.age_s),
            str(worker.totals.requests) if worker.totals else "-",
            _in_flight(worker.totals) if worker.totals else "-",
            _state(worker),
        )
        for worker in snapshot.workers
    ]
    yield from _table(title, ("pid", "generation", "age", "requests", "in flight", ""), rows)
    if not rows:
        yield "<p>None alive."
    yield f"<p>{_count(snapshot.worker_restarts, 'unexpected end')} of a worker,"
    if snapshot.workers_recycled:
        yield f"{_count(snapshot.workers_recycled, 'worker')} recycled,"
    yield f"{_count(snapshot.reload_failures, 'failed reload')}"


def _in_flight(totals: Totals) -> str:
    return f"{totals.in_flight} of {totals.threads}" if totals.threads else str(totals.in_flight)


def _state(worker: WorkerFact) -> str:
    """Say that no thread of it turns, that all of them work, or that some do so for too long."""
    words = ["<b class=bad>stuck</b>"] if worker.is_stuck else []
    if worker.totals is not None and worker.totals.is_busy:
        words.append("<b>busy</b>")
    if worker.totals is not None and worker.totals.stuck:
        words.append(f"<b class=bad>{_count(worker.totals.stuck, 'request')} for too long</b>")
    return ", ".join(words)


def _requests(snapshot: Snapshot) -> Iterable[str]:
    totals = snapshot.totals
    if totals is None:
        return
    yield from _table(
        "Requests since the start",
        ("", ""),
        (
            ("finished", str(totals.requests)),
            *(
                (name, str(count))
                for name, count in zip(CLASSES, totals.classes, strict=True)
                if count
            ),
            ("in flight", str(totals.in_flight)),
            ("mean time", _mean(totals)),
            ("bytes sent", f"{totals.sent:,}"),
        ),
    )
    if snapshot.drains:
        last = snapshot.last_drain_s
        took = f", the last took {_span(last)}" if last is not None else ""
        cut = _count(snapshot.cut_off, "request")
        yield f"<p>{_count(snapshot.drains, 'drain')}{took}, {cut} cut off"


def _mean(totals: Totals) -> str:
    return f"{1000 * totals.seconds / totals.requests:.1f} ms" if totals.requests else "-"


def _troubles(snapshot: Snapshot) -> Iterable[str]:
    rows = [(_when(trouble.at), _text(trouble.text)) for trouble in reversed(snapshot.troubles)]
    if rows:
        yield from _table("What went wrong, latest first", ("when", ""), rows)


def _phases(snapshot: Snapshot) -> Iterable[str]:
    rows = [
        (_when(fact.since), _text(fact.phase), _span(fact.seconds), _text(fact.detail))
        for fact in reversed(snapshot.history)
    ]
    if rows:
        yield from _table("Phases before", ("began", "phase", "took", ""), rows)


def _configuration(snapshot: Snapshot) -> Iterable[str]:
    yield "<h2>Configuration</h2>"
    yield f"<p>INI <code>{_text(snapshot.ini) or 'none'}</code>"
    rows = [
        (
            f"<code>{_text(row.name)}</code>",
            "(hidden)" if row.name in _HIDDEN and row.value else _text(row.value),
            f"<span class=soft>{_text(row.origin)}</span>",
        )
        for row in snapshot.settings
    ]
    if rows:
        yield from _table("", ("setting", "value", "from"), rows)
    known = [
        ("pastebox", __version__),
        ("Python", platform.python_version()),
        *snapshot.versions,
    ]
    yield "<p>" + ", ".join(f"{_text(name)} {_text(version)}" for name, version in known)


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    """Yield a table; cells are HTML."""
    if title:
        yield f"<h2>{title}</h2>"
    cells = "".join(f"<th>{name}" for name in head)
    yield f"<div><table><tr>{cells}"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}" for cell in row)
    yield "</table></div>"


def _text(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def _when(moment: float) -> str:
    return iso_second(int(moment)).replace("T", " ") + " UTC"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _span(seconds: float) -> str:
    """Return a duration as people say it: ``0.42 s``, ``3 min 5 s``, ``2 d 4 h``."""
    if seconds < 10:  # noqa: PLR2004  # below it fractions matter
        return f"{max(0.0, seconds):.2f} s"
    whole = int(seconds)
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, unit in units:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
