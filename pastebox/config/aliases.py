"""From the many spellings of ``[server:main] use`` to the runner that serves it."""

import re
from typing import NamedTuple

_FLUP = tuple(
    f"{protocol}_{way}" for protocol in ("scgi", "fcgi", "ajp") for way in ("thread", "fork")
)

_TABLE: dict[str, dict[str, str]] = {
    "waitress": {"main": "waitress"},
    "gunicorn": {"main": "gunicorn"},
    "paste": {"http": "http"},
    "pastescript": {
        "wsgiutils": "wsgiutils",
        "cherrypy": "cherrypy",
        "twisted": "twisted",
        "cgi": "cgi",
        **{f"flup_{name}": f"flup_{name}" for name in _FLUP},
    },
    "flup": {name: f"flup_{name}" for name in _FLUP},
    "pyramid": {"wsgiref": "wsgiref", "cherrypy": "cherrypy"},
    "gearbox": {"wsgiref": "wsgiref", "cherrypy": "cherrypy"},
}
"""Distribution (normalised) to entry point name to runner; ``egg:pastebox#NAME`` is NAME itself."""

GONE = {
    "pastescript": "PasteScript no longer runs on current Python, and pastebox never imports it",
}
"""Distributions that an application section may not name, and why."""


class EggUse(NamedTuple):
    """The two parts of ``egg:DIST#NAME``."""

    distribution: str
    name: str


def normalised(distribution: str) -> str:
    """Return a distribution's name as packaging compares it, without version and extras."""
    bare = re.split(r"[\s\[<>=!~;]", distribution.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", bare).lower()


def split_egg(use: str) -> EggUse | None:
    """Split an ``egg:`` specification; ``None`` when it is something else."""
    scheme, colon, rest = use.strip().partition(":")
    if not colon or scheme.lower() != "egg":
        return None
    distribution, _, name = rest.partition("#")
    return EggUse(distribution.strip(), name.strip() or "main")


def runner_of(use: str) -> str:
    """Return the registry's name for a ``use``, or the ``use`` itself when it is not ours.

    A bare word (``--server waitress``) is a runner's name already.
    """
    egg = split_egg(use)
    if egg is None:
        return use.strip()
    distribution = normalised(egg.distribution)
    if distribution == "pastebox":
        return "waitress" if egg.name == "main" else egg.name
    row = _TABLE.get(distribution, {})
    return row.get(egg.name, f"egg:{egg.distribution}#{egg.name}")


def family(runner: str) -> str:
    """Return what runners with the same options have in common: ``flup_fcgi`` for both ways."""
    return re.sub(r"_(thread|fork)$", "", runner)
