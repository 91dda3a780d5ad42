"""What is compared with what: each runner, and the same server in the hands of its own users."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.served import APPS, environment, pastebox

INI = APPS / "hello.ini"
LEAST = 0.97
"""Of the bare server's rate: what a runner of ours keeps at least."""
GATEWAY = 1.5
"""What FastCGI and SCGI have at least, beside plain flup."""

SECTIONS = """\
[app:main]
paste.app_factory = bench_hello:main

[server:main]
{server}
{address}
"""


class Pair(NamedTuple):
    """A runner of ours and its bare peer.

    Attributes:
        name: what the row is called.
        runner: the name in the registry.
        server: lines of ``[server:main]``, without the address.
        bare: what the peer is called.
        peer: a name in ``apps/bare.py``, or of ``gunicorn`` or ``granian``.
        needs: the package without which there is no peer.
        protocol: ``http``, or what a front end has to translate.
        goal: the least ratio of the rates; ``None`` where nothing is promised.
        is_unix: a Unix socket is between server and front end.
    """

    name: str
    runner: str
    server: str
    bare: str
    peer: str
    needs: str
    protocol: str = "http"
    goal: float | None = LEAST
    is_unix: bool = False


def _gateway(protocol: str, model: str, *, goal: float | None, is_unix: bool = False) -> Pair:
    short = {"fastcgi": "fcgi"}.get(protocol, protocol)
    fork = "_fork" if model == "fork" else ""
    return Pair(
        name=f"flup_{short}_{model}" + (", Unix socket" if is_unix else ""),
        runner=f"flup_{short}_{model}",
        server=f"use = egg:PasteScript#flup_{short}_{model}",
        bare=f"flup.server.{short}{fork}",
        peer=f"flup_{short}{fork}",
        needs="flup",
        protocol=protocol,
        goal=goal,
        is_unix=is_unix,
    )


PAIRS = (
    Pair(
        "waitress", "waitress", "use = egg:waitress#main\nthreads = 4", "waitress.serve, 4 threads",
        "waitress", "waitress",
    ),
    Pair("http", "http", "use = egg:Paste#http", "waitress.serve, 10 threads", "http", "waitress"),
    Pair(
        "gunicorn", "gunicorn", "use = egg:gunicorn#main\nworkers = 2\nthreads = 4",
        "gunicorn --paste, 2 x 4", "gunicorn", "gunicorn",
    ),
    Pair(
        "gunicorn, sync", "gunicorn", "use = egg:gunicorn#main\nworkers = 2",
        "gunicorn --paste, 2 x sync", "gunicorn_sync", "gunicorn",
    ),
    Pair(
        "granian", "granian", "use = egg:pastebox#granian", "granian, 1 worker", "granian",
        "granian",
    ),
    Pair(
        "granian, 4 threads", "granian", "use = egg:pastebox#granian\nblocking_threads = 4",
        "granian, 1 worker, 4 threads", "granian_4", "granian", goal=None,
    ),
    Pair(
        "wsgiutils", "wsgiutils", "use = egg:PasteScript#wsgiutils", "cheroot.wsgi.Server",
        "cheroot", "cheroot",
    ),
    Pair(
        "cherrypy", "cherrypy", "use = egg:PasteScript#cherrypy", "cheroot.wsgi.Server", "cheroot",
        "cheroot",
    ),
    Pair(
        "twisted", "twisted", "use = egg:PasteScript#twisted", "twisted WSGIResource", "twisted",
        "twisted",
    ),
    Pair(
        "wsgiref", "wsgiref", "use = egg:pyramid#wsgiref", "wsgiref.simple_server", "wsgiref",
        "wsgiref",
    ),
    _gateway("fastcgi", "thread", goal=GATEWAY),
    _gateway("fastcgi", "thread", goal=GATEWAY, is_unix=True),
    _gateway("scgi", "thread", goal=GATEWAY),
    _gateway("scgi", "thread", goal=GATEWAY, is_unix=True),
    _gateway("ajp", "thread", goal=LEAST),
    _gateway("fastcgi", "fork", goal=LEAST),
    _gateway("scgi", "fork", goal=LEAST),
    _gateway("ajp", "fork", goal=LEAST),
)  # fmt: skip

TWO_WORKERS = "waitress, 2 workers with affinity"
"""One more of ours, without a peer of its own."""


class Command(NamedTuple):
    """How a server is started."""

    words: Sequence[str]
    env: Mapping[str, str]


def chosen(names: Sequence[str]) -> list[Pair]:
    """Return the pairs of these runners, or all; without those whose server is not installed.

    Raises:
        SystemExit: a name is not known.
    """
    unknown = set(names) - {pair.runner for pair in PAIRS}
    if unknown:
        raise SystemExit(f"no such runner: {', '.join(sorted(unknown))}")
    found = []
    for pair in PAIRS:
        if names and pair.runner not in names:
            continue
        if importlib.util.find_spec(pair.needs) is None:
            print(f"left out: {pair.name}, {pair.needs} is not installed", flush=True)
            continue
        found.append(pair)
    return found


def ours(pair: Pair, address: str, directory: Path, **settings: str) -> Command:
    """Return how pastebox serves it; ``address`` is a port or the path of a Unix socket."""
    lines = f"socket = {address}" if pair.is_unix else f"host = 127.0.0.1\nport = {address}"
    name = "".join(letter for letter in pair.name if letter.isalnum())
    ini = directory / f"{name}.ini"
    ini.write_text(SECTIONS.format(server=pair.server, address=lines))
    quiet = {"PASTEBOX_HEALTH_PORT": "off", "PASTEBOX_ACCESS_LOG": "off"}
    return Command(pastebox(ini, 0), environment(**quiet | settings))


def bare(pair: Pair, address: str) -> Command:
    """Return how its own users serve it."""
    if pair.needs == "granian":
        options = [f"--port={address}", "--workers=1", "--no-ws"]
        options += ["--blocking-threads=4"] if pair.peer == "granian_4" else []
        words = [_script("granian"), "--interface=wsgi", "--factory", *options, "bench_hello:bare"]
    elif pair.needs == "gunicorn":
        words = [_script("gunicorn"), f"--paste={INI}", "--paste-global=http_port=0"]
        words += [f"--bind=127.0.0.1:{address}", "--workers=2"]
        words += ["--threads=4"] if pair.peer == "gunicorn" else []
    else:
        words = [sys.executable, str(APPS / "bare.py"), pair.peer, str(INI), address]
    return Command(words, environment())


def _script(name: str) -> str:
    return str(Path(sys.executable).with_name(name))
