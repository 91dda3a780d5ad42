"""Write docs/reference/server-grid.md from the results of the grid: ``publish.py RESULTS...``.

Exits with 1 when a cell has failed, or has not been tried.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from grid_kinds import KINDS  # noqa: E402  # they are found by now
from grid_rows import BEHIND, MARKS, ROWS, Row, mark_of  # noqa: E402  # likewise

PAGE = ROOT / "docs/reference/server-grid.md"
INTRO = """\
<!-- Written by tests/grid/publish.py (make grid); change what it reads, not this page. -->

# Servers behind front ends

Every server that an INI can select, behind the front ends that speak its protocol, asked through
HTTP by the grid's tests (`make grid`).
Each ✓ holds on {pythons}, with {versions}.

{counts}

A number stands where something cannot be, and says why below the tables.
Such a cell is tried as well, and the run fails if it works after all;
n/a stands where there is nothing to try, and a number beside ✓ for a part that is left out.

## What is asked

{kinds}

In nginx, buffering is off (`proxy_buffering off` and its like);
Apache has `flushpackets=on` and, so that lengths reach the client,
`SetEnv ap_trust_cgilike_cl 1`; lighttpd has `server.stream-response-body = 2`.

An answer that breaks off does so when the client has its first bytes.
When all of it comes at once, lighttpd has not sent the header yet;
it then sends what there is without a length or chunks, which looks complete.
mod_fcgid ends an application whose answer has broken off, and starts it again seconds later."""
TITLES = {
    "http": "HTTP",
    "fcgi": "FastCGI",
    "scgi": "SCGI",
    "ajp": "AJP 1.3",
    "cgi": "CGI",
}


class Cell(NamedTuple):
    """What one or several runs say of a cell: ``ok``, ``marked``, ``none`` or ``failed``."""

    state: str
    reason: str = ""


def cell_of(results: list[dict], row: Row, kind: str) -> Cell:
    """Return what all runs say together; the worst counts."""
    cells = []
    for result in results:
        found = result["rows"].get(row.id, {}).get(kind)
        if found is None:
            return Cell("failed", "not tried")
        said = found["said"]
        if found["outcome"] == "passed":
            cells.append(Cell("ok"))
        elif found["outcome"] == "skipped" and not said.startswith("Skipped: needs "):
            is_none = said.startswith("Skipped: ")
            mark = mark_of(row, kind)
            reason = mark.reason if mark else said.removeprefix("Skipped: ")
            cells.append(Cell("none" if is_none else "marked", reason))
        else:
            cells.append(Cell("failed", said))
    order = ("failed", "marked", "none", "ok")
    return min(cells, key=lambda cell: order.index(cell.state))


def main(paths: list[str]) -> int:
    """Write the page; say what has failed."""
    results = [json.loads(Path(path).read_text()) for path in paths]
    cells = {(row.id, kind): cell_of(results, row, kind) for row in ROWS for kind in KINDS}
    failed = {key: cell for key, cell in cells.items() if cell.state == "failed"}
    for (row, kind), cell in failed.items():
        print(f"failed: {row} {kind}: {cell.reason[-300:]}", file=sys.stderr)
    PAGE.write_text(page(results, cells))
    states = [cell.state for cell in cells.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    print(f"{len(cells)} cells on each of {len(results)} interpreters: {counts}")
    return 1 if failed else 0


def page(results: list[dict], cells: dict[tuple[str, str], Cell]) -> str:
    """Return the text of the page."""
    reasons: dict[str, int] = {}
    tables = []
    for speaks in BEHIND:
        rows = [row for row in ROWS if row.speaks == speaks]
        tables.append(f"## {TITLES[speaks]}\n\n{_table(rows, cells, reasons)}")
    states = [cell.state for cell in cells.values()]
    versions: dict[str, str] = {}
    for result in results:
        versions |= result["versions"]
    text = INTRO.format(
        pythons=_and([f"Python {result['python']}" for result in results]),
        versions=_and([f"{name} {version}" for name, version in sorted(versions.items())]),
        counts=(
            f"{len(cells)} cells: {states.count('ok')} hold, "
            f"{states.count('marked')} cannot and are marked, "
            f"{states.count('none')} have nothing to try."
            + (f" {states.count('failed')} **failed**." if "failed" in states else "")
        ),
        kinds=_kinds(),
    )
    notes = [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n\n".join([text, *tables, "## Why not", "\n".join(notes)]) + "\n"


def _kinds() -> str:
    lines = ["| column | what must hold |", "| --- | --- |"]
    for name, function in KINDS.items():
        first = (function.__doc__ or "").strip().splitlines()[0]
        lines.append(f"| {name} | {first.replace('``', '`')} |")
    return "\n".join(lines)


def _table(rows: list[Row], cells: dict[tuple[str, str], Cell], reasons: dict[str, int]) -> str:
    names = [name.replace("_", " ") for name in KINDS]
    lines = [["server", "front end", *names], ["---"] * 2 + [":-:"] * len(names)]
    for row in rows:
        words = [f"`{row.case.name}`", row.front.name]
        for kind in KINDS:
            cell = cells[row.id, kind]
            why = [cell.reason] if cell.state in ("marked", "none") else _left_out(row, kind)
            numbers = [str(reasons.setdefault(reason, len(reasons) + 1)) for reason in why]
            sign = {"ok": "✓", "failed": "**failed**", "marked": "", "none": "n/a"}[cell.state]
            words.append(" ".join(filter(None, (sign, *numbers))))
        lines.append(words)
    return "\n".join(f"| {' | '.join(words)} |" for words in lines)


def _left_out(row: Row, kind: str) -> list[str]:
    """Return why a part of a column that repeats others is not asked in this row."""
    parts = [mark.kind for mark in MARKS if mark.kind.startswith(f"{kind}:")]
    marks = [mark_of(row, part) for part in parts]
    return [mark.reason for mark in marks if mark is not None]


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
