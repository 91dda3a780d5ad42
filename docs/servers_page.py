"""Write the page of the servers: the registry, the tables of options, the measured figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from pastebox.config.aliases import _TABLE
from pastebox.runners import (
    cheroot_options,
    flup_options,
    granian_options,
    gunicorn_options,
    waitress_options,
)
from pastebox.runners import http as http_runner
from pastebox.runners import twisted as twisted_runner
from pastebox.runners import wsgiref as wsgiref_runner
from pastebox.runners.base import RunnerInfo
from pastebox.runners.registry import RUNNERS, Entry

FIGURES = Path(__file__).parent / "reference" / "servers.json"
SPELLED = {"paste": "Paste", "pastescript": "PasteScript", "flup": "Flup"}

Options = Mapping[str, tuple[Any, str]]


class Facts(NamedTuple):
    """What the registry does not know.

    Attributes:
        built_on: whose code reads requests and writes answers.
        options: the table of options, ``None`` where they are the server's own.
        keeps: whether a connection serves several requests.
        refused: options that are refused by name, and why.
    """

    built_on: str
    options: Options | None
    keeps: bool = True
    refused: Mapping[str, str] = {}


def _gateway(name: str) -> Facts:
    _, protocol, model = name.split("_")
    table = flup_options.table(protocol, is_fork=model == "fork")
    return Facts("pastebox's gateway", table, keeps=protocol != "scgi")


FACTS = {
    "waitress": Facts("waitress, on a loop of pastebox's", waitress_options.OPTIONS),
    "granian": Facts(
        "granian's Rust part", granian_options.OPTIONS, refused=granian_options.REFUSED
    ),
    "gunicorn": Facts("gunicorn", None, refused=gunicorn_options.REFUSED),
    "http": Facts(
        "Paste's own server where Paste is installed, else waitress",
        http_runner.OPTIONS,
        refused=http_runner.REFUSED,
    ),
    "twisted": Facts("twisted.web", twisted_runner.OPTIONS),
    "wsgiutils": Facts("cheroot, on a loop of pastebox's", cheroot_options.WSGIUTILS),
    "cherrypy": Facts("cheroot, on a loop of pastebox's", cheroot_options.CHERRYPY),
    "wsgiref": Facts(
        "the standard library's wsgiref, on a loop of pastebox's",
        wsgiref_runner.OPTIONS,
        keeps=False,
    ),
    "cgi": Facts("the standard library's wsgiref", {}, keeps=False),
    **{name: _gateway(name) for name in RUNNERS if name.startswith("flup_")},
}

NOTES = {
    "gunicorn": "Its settings go by gunicorn's own names, and gunicorn reads their values.\n"
    "Worker classes: `sync`, `gthread`, and `gevent` where gevent is installed.\n"
    "TLS by `keyfile` and `certfile`, a Unix socket by `bind = unix:PATH`.",
    "granian": "Each process is one worker of granian; `PASTEBOX_WORKERS` says how many.",
    "http": "Options that waitress has under another name are translated;"
    " what it cannot honour is refused, not ignored.",
    "cgi": "A web server starts `pastebox serve` for each request:"
    " no master, no health port, no drain.",
    "flup_fcgi_thread": "Started with a listening socket as descriptor 0"
    " (mod_fcgid, lighttpd, spawn-fcgi), it serves that one.\n"
    "`FCGI_WEB_SERVER_ADDRS` says who may connect.",
}

HEAD = """\
# Servers

What `[server:main] use` can select, and what each server can do.
How old INI files spell it is in [legacy servers](legacy-servers.md);
`PASTEBOX_SERVER` replaces the INI's choice by a name of the first column.
Which one to take is in [choosing a server](../explanation/choosing-a-server.md)."""

CAPABILITIES = """\
All of them run behind the same master: its health port, its drain, its exit status, its logs,
and its reload, in which no connection is refused.
The master binds the sockets, IPv4 and IPv6, and hands them down;
TERM goes to the master, which gives the orders."""

EXTERNAL_TEXT = """\
### Any other server

`use = egg:DISTRIBUTION#NAME` with a `paste.server_runner` or a `paste.server_factory` of another
distribution, `call:module:object`, and `paste.server_factory = module:object`.
Its options are its own, and so is its code.
It binds by itself: while one process replaces another, connections can be refused.
It is told to end by its signal, after its running requests."""

FIGURES_TEXT = """\
## Figures

Each server beside its bare self, which is the same server as its own users start it,
on the same application (a short answer), without access logs on either side.
The ratio is the median of the ratios of neighbouring rounds; it travels, the rates do not.
CPU is the processor time of all processes for one request,
memory the proportional memory of all of them after the run, the master included."""


def page() -> list[str]:
    """Return the parts of the page."""
    parts = [HEAD, CAPABILITIES, _capabilities(), "## Options"]
    for name, entry in RUNNERS.items():
        parts += _section(name, entry)
    parts.append(EXTERNAL_TEXT)
    found = figures()
    return [*parts, FIGURES_TEXT, *tables(found), how(found)] if found else parts


def figures() -> dict[str, Any]:
    """Return the measured figures; ``python -m bench.servers --write`` makes them."""
    if not FIGURES.exists():
        return {}
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return found


def info_of(entry: Entry) -> RunnerInfo:
    """Return what a runner says of itself."""
    module, _, attribute = entry.target.partition(":")
    info: RunnerInfo = getattr(import_module(module), attribute).info
    return info


def _capabilities() -> str:
    head = ("server", "speaks", "keeps connections", "TLS", "Unix socket", "processes", "extra")
    rows = []
    for name, entry in RUNNERS.items():
        info, facts = info_of(entry), FACTS[name]
        # gunicorn's own names, where the table is gunicorn's
        names = {"keyfile", "bind"} if facts.options is None else set(facts.options)
        is_forked = info.forks or name.endswith("_fork")
        processes = "its own" if info.multiprocess or is_forked else "the master's"
        rows.append(
            (
                f"[`{name}`](#{name})",
                {"http": "HTTP", "fastcgi": "FastCGI", "scgi": "SCGI", "ajp": "AJP 1.3"}.get(
                    info.protocols[0], "CGI"
                ),
                _yes(facts.keeps),
                _yes(any("ssl_" in one or one == "keyfile" for one in names)),
                _yes(bool(names & {"unix_socket", "uds", "socket", "bind"})),
                processes if info.adopts_sockets else "one for each request",
                f"`{info.extra}`" if info.extra else "none",
            )
        )
    return table(head, rows)


def _section(name: str, entry: Entry) -> list[str]:
    info, facts = info_of(entry), FACTS[name]
    spelled = [
        f"`egg:{SPELLED.get(distribution, distribution)}#{one}`"
        for distribution, names in _TABLE.items()
        for one, runner in names.items()
        if runner == name
    ] or [f"`egg:pastebox#{name}`"]
    lines = [f"- `use =` {', '.join(spelled)}", f"- built on: {facts.built_on}"]
    if info.extra:
        lines.append(f'- install: `pip install "pastebox[{info.extra}]"`; the image has it')
    if info.recycling:
        names = " and ".join(f"`{one}`" for one in info.recycling)
        lines.append(f"- replaces its processes by {names}")
    parts = [f"### `{name}`", "\n".join(lines)]
    if name in NOTES:
        parts.append(NOTES[name])
    if facts.options:
        rows = [(f"`{one}`", expected) for one, (_, expected) in facts.options.items()]
        parts.append(table(("option", "expects"), rows))
    if facts.refused:
        rows = [(f"`{one}`", why) for one, why in facts.refused.items()]
        parts.append(table(("refused", "because"), rows))
    return parts


def _yes(is_so: bool) -> str:  # noqa: FBT001  # a word for it is all there is
    return "yes" if is_so else "no"


# -- figures ----------------------------------------------------------------------------------


def tables(found: dict[str, Any]) -> list[str]:
    """Return what was measured: rates, waits, idle connections."""
    head = ("server", "requests/s", "bare", "ratio", "CPU µs", "bare", "MB", "bare")
    rows = [
        (
            f"`{one['name']}`",
            *(number(one["sides"][side]["rate"]) for side in ("ours", "bare")),
            f"{one['ratio']:.2f}",
            *(number(one["sides"][side]["cpu_us"]) for side in ("ours", "bare")),
            *(number(one["sides"][side]["memory_mb"]) for side in ("ours", "bare")),
        )
        for one in found["rows"]
    ]
    if "two_workers" in found:
        two = found["two_workers"]
        cells = [number(two["ours"][key]) for key in ("rate", "cpu_us", "memory_mb")]
        rows.append((two["name"], cells[0], "", "", cells[1], "", cells[2], ""))
    parts = [table(head, rows), *_waits(found)]
    return parts + ([_idle(found["idle"])] if "idle" in found else [])


def _waits(found: dict[str, Any]) -> list[str]:
    if not found.get("waits"):
        return []
    pairs: dict[tuple[str, str], dict[bool, float]] = {}
    for one in found["waits"]:
        pairs.setdefault((one["name"], one["front"]), {})[one["is_ours"]] = one["ms"]
    rows = [
        (f"`{name}`", front, f"{both[True]:.1f}", f"{both[False]:.1f}")
        for (name, front), both in pairs.items()
    ]
    text = "A single request at a time, through a front end that keeps its connections, in ms:"
    return [text, table(("server", "front end", "pastebox", "bare"), rows)]


def _idle(found: dict[str, Any]) -> str:
    rows = [
        (
            f"`{one['name']}`",
            number(one["alone"]),
            number(one["crowded"]),
            f"{one['ratio']:.2f}",
            *(number(us) for us in one["cpu_us"]),
        )
        for one in found["rows"]
    ]
    text = (
        f"The rate of others beside {number(found['idle'])} idle connections"
        f" and {found['slow']} clients that send a header byte by byte ({found['date']}):"
    )
    head = ("server", "alone", "beside them", "ratio", "CPU µs alone", "beside them")
    return f"{text}\n\n{table(head, rows)}"


def how(found: dict[str, Any]) -> str:
    """Say how the figures came about."""
    machine = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"Measured on {found['date']} by `{found['command']}`: {found['rounds']} rounds of"
        f" {found['seconds']:g} s for each server, all in turn, {found['connections']} connections,"
        f" {machine['cpus']} CPUs shared with the clients, load average {machine['load']} at the"
        f" end, Python {machine['python']}.\n"
        f"Versions: {versions}."
    )


def number(value: float) -> str:
    """Return a figure with as many digits as it deserves."""
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.1f}"  # noqa: PLR2004


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def choosing(found: dict[str, Any]) -> str:
    """Return the figures of the page about choosing, beside waitress."""
    rows = {one["name"]: one for one in found["rows"]}
    base = rows["waitress"]["sides"]["ours"]["rate"]
    every = [(f"`{name}`", one["sides"]["ours"]) for name, one in rows.items()]
    if "two_workers" in found:
        two = found["two_workers"]
        every.insert(1, (two["name"], two["ours"]))
    lines = [
        (name, f"{one['rate'] / base:.1f}", number(one["cpu_us"]), number(one["memory_mb"]))
        for name, one in every
    ]
    head = ("server", "requests/s, waitress = 1", "CPU µs for each request", "MB")
    return f"{table(head, lines)}\n\n{how(found)}"
