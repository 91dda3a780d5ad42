"""The request cases of gunicorn's own test suite, from its source distribution.

They are downloaded with pip into a cache outside of the repository, and none of them is kept in
it. Their expectations are Python files that import gunicorn: they run in a process of their own,
with the gunicorn of the same archive.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

VERSION = "27.0.1"
_EXPORT = """\
import json, os, sys
sys.path[:0] = [os.getcwd(), os.path.join(os.getcwd(), "tests")]
import treq
from gunicorn.config import Config

def settings(spec):
    default = Config().settings
    found = spec["cfg"].settings
    return sorted(name for name in found if repr(found[name].get()) != repr(default[name].get())
                  and name != "http_parser")

def exported(kind, name):
    path = os.path.join("tests/requests", kind, name)
    spec = treq.load_py(path + ".py")
    case = {"name": f"{kind}/{name}", "settings": settings(spec), "requests": []}
    if kind == "valid":
        case["data"] = treq.request(path + ".http", spec["request"]).data
        for one in spec["request"] if isinstance(spec["request"], list) else [spec["request"]]:
            case["requests"].append({
                "method": one["method"],
                "path": one["uri"]["path"],
                "query": one["uri"]["query"],
                "headers": one["headers"],
                "body": str(one["body"], "latin-1") if one["body"] else "",
            })
    else:
        case["data"] = treq.badrequest(path + ".http").data
        case["error"] = spec["request"].__name__
    case["data"] = case["data"].decode("latin-1")
    return case

names = {kind: sorted(n[:-5] for n in os.listdir("tests/requests/" + kind) if n.endswith(".http"))
         for kind in ("valid", "invalid")}
json.dump([exported(kind, name) for kind in names for name in names[kind]], sys.stdout)
"""


class Seen(NamedTuple):
    """A request as the application is to see it."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str


class TreqCase(NamedTuple):
    """One input.

    Attributes:
        name: ``valid/001`` or ``invalid/001``.
        data: what is sent.
        requests: what the application is to see; empty for an invalid case.
        error: what gunicorn's parser calls the defect.
        settings: gunicorn's settings that the case depends on.
    """

    name: str
    data: bytes
    requests: tuple[Seen, ...]
    error: str
    settings: tuple[str, ...]


class UnavailableError(Exception):
    """The archive can be had neither from the cache nor from the index."""


def cases() -> list[TreqCase]:
    """Return all of them.

    Raises:
        UnavailableError: the archive is not there, with the reason.
    """
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT], cwd=_source(), capture_output=True, check=True, timeout=100
    )
    return [_case(one) for one in json.loads(done.stdout)]


def _case(one: dict) -> TreqCase:
    requests = tuple(
        Seen(
            each["method"],
            each["path"],
            each["query"],
            tuple((name, value) for name, value in each["headers"]),
            each["body"],
        )
        for each in one["requests"]
    )
    data = one["data"].encode("latin-1")
    return TreqCase(one["name"], data, requests, one.get("error", ""), tuple(one["settings"]))


def _source() -> Path:
    """Return the directory of the unpacked archive."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "pastebox-tests"
    archive = cache / f"gunicorn-{VERSION}.tar.gz"
    if not archive.exists():
        _download(cache)
    unpacked = cache / archive.name.removesuffix(".tar.gz")
    if not (unpacked / "tests" / "treq.py").exists():
        with tarfile.open(archive) as file:
            file.extractall(cache, filter="data")
    return unpacked


def _download(cache: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(cache),
    ]
    try:
        done = subprocess.run(
            [*command, "--no-binary", ":all:", f"gunicorn=={VERSION}"],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError("the index does not answer") from None
    if done.returncode:
        raise UnavailableError(done.stderr.strip().splitlines()[-1] if done.stderr else "pip fails")
