"""The table of the grid: which runner stands behind which front end, and what cannot be there."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import NamedTuple

from contract_cases import CASES, Case
from front_ends import FRONTS, Front


class Row(NamedTuple):
    """A runner behind a front end."""

    case: Case
    speaks: str
    front: Front

    @property
    def reuses(self) -> bool:
        """Whether a second request comes on the same connection to the runner."""
        is_short = "socket_timeout = 1" in self.case.more  # it may be over before the next
        return self.front.reuses and self.case.name not in CLOSING and not is_short

    @property
    def id(self) -> str:
        return f"{self.case.name}-{self.front.name}".replace(" ", "_").replace(",", "")


class Mark(NamedTuple):
    """A cell that cannot be: because of whom, and why.

    Attributes:
        kind: the column; ``unix:stream`` is a part of the column ``unix``.
        runner: its name, or a pattern.
        front: likewise.
        reason: for the published table.
        runs: whether it is tried nevertheless, and must fail; false where there is nothing to try.
    """

    kind: str
    runner: str
    front: str
    reason: str
    runs: bool = True


def _protocol(case: Case) -> str:
    return case.name.split("_")[1] if case.name.startswith("flup_") else "http"


BEHIND = {
    **{
        protocol: [case for case in CASES if _protocol(case) == protocol]
        for protocol in ("http", "fcgi", "scgi", "ajp")
    },
    "cgi": [Case("cgi", "egg:PasteScript#cgi", "", tcp="")],
}
"""The runners of each protocol."""

CLOSING = {
    "wsgiref": "the standard library's server speaks HTTP/1.0",
    "gunicorn_sync": "this worker class closes each connection, so that it can go on",
}
"""HTTP servers that have no second request on a connection."""

ROWS = tuple(
    Row(case, speaks, front)
    for speaks, cases in BEHIND.items()
    for case in cases
    for front in FRONTS
    if front.speaks == speaks
)

MARKS: tuple[Mark, ...] = (
    *(Mark("keep_alive", name, "direct", reason) for name, reason in CLOSING.items()),
    Mark("unix", "cgi", "*", "CGI has no socket", runs=False),
    Mark("unix", "flup_scgi_*", "*", "flup's SCGI has no option for a unix socket", runs=False),
    Mark("unix", "flup_ajp_*", "*", "flup's AJP has no option for a unix socket", runs=False),
    Mark(
        "error_after",
        "flup_fcgi_*",
        "Apache mod_fcgid",
        "mod_fcgid appends its own error page to what has come, and ends the answer as if whole",
    ),
    Mark("write", "bjoern", "*", "bjoern has no write callable"),
    Mark("ipv6:get", "bjoern", "*", "bjoern calls every IPv6 client 0.0.0.0"),
    Mark(
        "error_after",
        "bjoern",
        "lighttpd mod_proxy",
        "bjoern answers HTTP/1.0 with an end of the connection, whatever ended it",
    ),
    *(
        Mark("chunked", "uwsgi", front, "uWSGI gives chunks by a call of its own API only")
        for front in ("direct", "Apache mod_proxy_http", "haproxy")
    ),
    *(
        Mark("get", "uwsgi", front, "uWSGI names the client to a connection's first request only")
        for front in ("nginx proxy_pass", "Apache mod_proxy_http")
    ),
    Mark(
        "error_after",
        "uwsgi",
        "*",
        "uWSGI ends such an answer with its connection, whatever ended it (unbit/uwsgi#1572)",
    ),
    Mark(
        "error_after",
        "granian",
        "*",
        "granian's bridge ends the chunks of a body whatever ended it, and shows no connection",
    ),
    Mark(
        "error_after",
        "wsgiref",
        "haproxy",
        "in HTTP/1.0 such an answer ends with its connection, and haproxy makes an end of a reset",
    ),
    *(
        Mark(
            "error_after",
            "cgi",
            front,
            "CGI has no mark of an end, and the web server does not ask for the exit status",
        )
        for front in ("Apache mod_cgid", "lighttpd mod_cgi")
    ),
    Mark(
        "chunked",
        "flup_scgi_*",
        "Apache mod_proxy_scgi",
        "mod_proxy_scgi passes the body on without a length, and SCGI has no other end of it: 411",
    ),
)


def mark_of(row: Row, kind: str) -> Mark | None:
    """Return what is known of a cell."""
    for mark in MARKS:
        is_there = fnmatch(row.case.name, mark.runner) and fnmatch(row.front.name, mark.front)
        if mark.kind == kind and is_there:
            return mark
    if kind == "unix" and row.speaks == "http" and not row.case.unix:
        return Mark(kind, row.case.name, "*", "it has no option for a unix socket", runs=False)
    return None


def sample(kinds: list[str]) -> list[tuple[Row, str]]:
    """Return cells in which every runner, every front end and every kind appears.

    The rows go down both lists at once; the kinds go round.
    """
    rows: list[Row] = []
    for speaks, cases in BEHIND.items():
        fronts = [front for front in FRONTS if front.speaks == speaks]
        for number in range(max(len(cases), len(fronts))):
            case, front = cases[number % len(cases)], fronts[number % len(fronts)]
            rows.append(Row(case, speaks, front))
    cells = []
    for number, row in enumerate(rows):
        chosen = sorted({number % len(kinds), (number + len(kinds) // 2) % len(kinds)})
        cells += [(row, kinds[index]) for index in chosen]
    return cells
