"""The pages of the health port for many instances: what each has answered in, one answer out."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pastebox.daemon.instances_metrics import merge
from pastebox.health.result import ProbeResult
from pastebox.observe.pages import HTML, JSON, METRICS, TEXT, Page, text_page

PATHS = ("/livez", "/startupz", "/readyz", "/healthz", "/metrics", "/status")
INDEX = """\
/livez    is no instance stuck or in a crash loop
/startupz which have ever been ready (JSON)
/readyz   should requests be sent here (?verbose names each instance)
/metrics  for Prometheus, each sample with a label instance
/status   for people
?instance=NAME asks one of them"""

_KINDS = {"/startupz": JSON, "/metrics": METRICS, "/status": HTML}


class Seen(NamedTuple):
    """One instance, and what it has answered.

    ``answer`` is ``None`` for a file that was refused; ``why`` says so.
    """

    name: str
    answer: ProbeResult | None
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer was a good one."""
        return self.answer is not None and self.answer.ok

    @property
    def is_bad(self) -> bool:
        """Whether it is there, and says no or nothing at all; one that is gone is started again."""
        return self.answer is not None and not self.ok and not self.answer.reason.startswith("dead")

    @property
    def facts(self) -> dict[str, Any]:
        """What it has answered in JSON; nothing where that was something else."""
        try:
            facts = json.loads(self.answer.body) if self.answer else None
        except ValueError:
            facts = None
        return facts if isinstance(facts, dict) else {}

    @property
    def fact(self) -> str:
        """The answer in a line."""
        if self.answer is None:
            return f"refused: {self.why}"
        failed = [
            f"{one.get('name')}: {one.get('fact')}"
            for one in self.facts.get("checks", ())
            if isinstance(one, dict) and not one.get("ok")
        ]
        if failed:
            return "; ".join(failed)
        if self.ok or self.facts:
            return self.answer.reason
        line = self.answer.body.decode("utf-8", "replace").strip().partition("\n")[0][:200]
        return f"{self.answer.reason}: {line}" if line else self.answer.reason


def respond(path: str, query: str, accept: str, fail: str, seen: Sequence[Seen]) -> Page:
    """Return the page of all instances.

    Args:
        path: one of :data:`PATHS`.
        query: what follows ``?``.
        accept: the Accept header; only ``application/json`` makes a difference.
        fail: ``any`` or ``all``: which of them have to fail for the whole to fail.
        seen: what each has answered.
    """
    if path == "/metrics":
        return _metrics(seen)
    if path == "/status":
        return Page(200, HTML, _status(seen).encode(errors="backslashreplace"))
    if path == "/startupz":
        is_started = _holds([one.ok for one in seen], fail)
        facts = {one.name: one.facts or {"detail": one.fact} for one in seen}
        return _json(is_started, {"started": is_started, "instances": facts})
    if path == "/livez":
        return _live(fail, seen)
    return _ready(query, accept, fail, seen)


def one_page(path: str, seen: Seen) -> Page:
    """Return the page of one instance as it has answered."""
    if seen.answer is None or not seen.answer.status:
        return text_page(503, f"{seen.name}: {seen.fact}")
    body = seen.answer.body
    kind = _KINDS.get(path, JSON if body.startswith(b"{") else TEXT)
    return Page(seen.answer.status, kind, body)


def _holds(each: Sequence[bool], fail: str) -> bool:
    """Say whether the whole is well: with ``any`` each must be, with ``all`` one is enough."""
    return bool(each) and (all(each) if fail == "any" else any(each))


def _live(fail: str, seen: Sequence[Seen]) -> Page:
    bad = [f"{one.name}: {one.fact}" for one in seen if one.is_bad]
    is_dead = bool(bad) and (fail == "any" or not any(one.ok for one in seen))
    return text_page(503, "; ".join(bad)) if is_dead else text_page(200, "ok")


def _ready(query: str, accept: str, fail: str, seen: Sequence[Seen]) -> Page:
    is_ready = _holds([one.ok for one in seen], fail)
    status = 200 if is_ready else 503
    if "application/json" in accept.lower():
        checks = [{"name": one.name, "ok": one.ok, "fact": one.fact} for one in seen]
        return _json(is_ready, {"ready": is_ready, "fail": fail, "checks": checks})
    if "verbose" in (word.partition("=")[0] for word in query.split("&")):
        lines = [
            f"[+]{one.name} ok" if one.ok else f"[-]{one.name} failed: {one.fact}" for one in seen
        ]
        lines.append(f"readyz check {'passed' if is_ready else 'failed'}")
        return text_page(status, "\n".join(lines))
    failed = "; ".join(f"{one.name}: {one.fact}" for one in seen if not one.ok)
    if not seen:
        failed = "there is no instance"
    if is_ready:
        return text_page(200, f"ok, but for {failed}" if failed else "ok")
    return text_page(503, f"not ready: {failed}")


def _metrics(seen: Sequence[Seen]) -> Page:
    texts = {
        one.name: one.answer.body.decode("utf-8", "replace")
        for one in seen
        if one.answer is not None and one.ok
    }
    return Page(200, METRICS, merge(texts, [one.name for one in seen]).encode())


def _status(seen: Sequence[Seen]) -> str:
    rows = "\n".join(
        f"<tr><td><a href='status?instance={one.name}'>{html.escape(one.name)}</a>"
        f"<td class={'ok' if one.ok else 'bad'}>{'ready' if one.ok else html.escape(one.fact)}"
        for one in seen
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>instances - pastebox</title>\n"
        "<meta name=viewport content='width=device-width,initial-scale=1'>\n"
        "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;"
        "max-width:56rem;margin:0 auto;padding:1rem}td{padding:.25rem .75rem .25rem 0;"
        "vertical-align:top}.ok{color:#1a7f37}.bad{color:#cf222e}a{color:inherit}</style>\n"
        f"<h1>{sum(one.ok for one in seen)} of {len(seen)} instances are ready</h1>\n"
        f"<table>\n{rows}\n</table>\n"
        "<p>This page does not refresh itself. <a href=metrics>metrics</a>\n"
        "<a href='readyz?verbose'>readyz</a> <a href=startupz>startupz</a>"
        " <a href=livez>livez</a>\n"
    )


def _json(ok: bool, facts: Mapping[str, Any]) -> Page:  # noqa: FBT001  # the status of the page
    return Page(200 if ok else 503, JSON, (json.dumps(facts) + "\n").encode())
