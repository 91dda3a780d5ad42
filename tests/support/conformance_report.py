"""Write docs/reference/conformance.md from the results that lie beside it.

python tests/support/conformance_report.py [DIRECTORY]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from conformance_cases import NOT_SENT, OUR_LOOPS, reason_of
from treq import VERSION

HOME = Path(__file__).parents[2] / "docs" / "reference"

INTRO = f"""\
# Conformance

<!-- Made by `make conformance`. -->

Suites that others wrote, run against every server that pastebox runs.
Repeat it with `make conformance`, which writes this page.

## Requests: the cases of gunicorn's suite

gunicorn {VERSION} tests its parser with requests that are valid and others that are not.
Here they are sent to each HTTP server over TCP.
A valid one must reach the application as the suite has it (method, path, query, headers, body); an
invalid one must not reach it.
Cases that depend on a setting of gunicorn's are left out.

Each server reads requests with a parser of its own; where it sees one otherwise, the reason is
below.
pastebox refuses by itself what could be read in two ways, and so smuggle a request past a front
end, before {", ".join(f"`{name}`" for name in OUR_LOOPS)} read it: lengths and chunks together,
lengths that repeat or are no numbers, malformed chunks, folded lines, bare line feeds, spaces
before a colon, control characters.
"""
LINT = """\
## WSGI: the checks of WebTest and of wsgiref

`webtest.lint` and `wsgiref.validate` stand around the application and raise an error where either
side breaks PEP 3333: GET, HEAD, POST, PUT read by lines, 204, 304, a body in parts, `write()`.
"""
TOOLS = """\
## Clients from Debian

Beside nginx, Apache and lighttpd, which have pages of their own.
No tool of Debian speaks SCGI by itself.
"""
FUZZ = """\
## Hostile input

`tests/soak/fuzz_servers.py` sends damaged requests, random bytes, floods of headers, impossible
lengths, garbage behind requests, resets and half a request to a live server of each kind, each on
a connection of its own, while others send a byte now and then.
Afterwards the same processes must answer, with no descriptor or process more, and without a
traceback in the log.
Threads are those that a pool keeps for a while; a forking server may hold more idle children.
"""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def requests(found: dict[str, dict]) -> str:
    """Return the part about gunicorn's cases."""
    rows = [
        (f"`{name}`", str(one["cases"]), str(one["cases"] - len(one["differences"])))
        for name, one in found.items()
    ]
    seen: dict[tuple[str, str], list[str]] = {}
    for runner, one in found.items():
        for case in one["differences"]:
            seen.setdefault((reason_of(runner, case), runner), []).append(case)
    together: dict[tuple[str, str], list[str]] = {}
    for (reason, runner), cases in seen.items():
        together.setdefault((reason, ", ".join(sorted(cases))), []).append(runner)
    differences = sorted(
        (cases, ", ".join(f"`{name}`" for name in runners), reason)
        for (reason, cases), runners in together.items()
    )
    not_sent = "\n".join(f"`{name}` is not sent: {why}." for name, why in NOT_SENT.items())
    return "\n".join(
        (
            table(("server", "cases", "as the suite expects"), rows),
            not_sent + "\n",
            table(("cases", "servers", "why they differ"), differences),
        )
    )


def lint(found: dict[str, list[str]]) -> str:
    """Return the part about WSGI."""
    rows = ((f"`{name}`", ", ".join(wrong) or "nothing") for name, wrong in found.items())
    return table(("server", "found"), rows)


def pairs(found: dict[str, str], what: str) -> str:
    """Return a table of servers and what there is to say of each."""
    rows = []
    for name, figures in sorted(found.items()):
        runner, _, tool = name.partition(": ")
        rows.append((f"`{runner}`", *([f"`{tool}`"] if tool else []), figures))
    head = ("server", "tool", what) if any(": " in name for name in found) else ("server", what)
    return table(head, rows)


def page(results: dict) -> str:
    """Return the page."""
    return "\n".join(
        (
            INTRO,
            requests(results["requests"]),
            LINT,
            lint(results["lint"]),
            TOOLS,
            pairs(results["tools"], "what was done"),
            FUZZ,
            pairs(results["fuzz"], "after the inputs"),
            "Damaged messages for each codec (`tests/soak/fuzz_codecs.py`), read by both sides:\n",
            table(("codec", "after the inputs"), sorted(results["codecs"].items())),
        )
    )


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else HOME
    text = page(json.loads((directory / "conformance.json").read_text()))
    (directory / "conformance.md").write_text(text)
