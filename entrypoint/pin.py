"""Renew the pinned requirements of the image: ``python entrypoint/pin.py``, with pip 25.1 or newer.

pip resolves the project's own words for each architecture of the image, and what it would install
is written with the digests of all of them. Who reviews the change reads versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PYTHON = "3.13"
"""Debian's, in the base image."""
PLATFORMS = ("x86_64", "aarch64")
SERVERS = ("gunicorn", "granian", "wsgiutils", "cherrypy", "twisted")
FILES = {
    "requirements.txt": "What the image runs beside pastebox itself",
    "requirements-servers.txt": "What the servers of the extras need, for the target servers",
    "requirements-dev.txt": "What the target dev has for people who work on an application",
    "requirements-build.txt": "What builds pastebox's wheel inside the image build",
}
HEAD = """\
# {what}, by version and digest, so that two builds are one.
# Written by entrypoint/pin.py.
"""


def main() -> None:
    """Write the files."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    needed = [*project["project"]["dependencies"], *extras["daemon"]]
    plain = pinned(needed)
    servers = pinned([*needed, *(word for name in SERVERS for word in extras[name])])
    written = {
        "requirements.txt": plain,
        "requirements-servers.txt": {n: pin for n, pin in servers.items() if n not in plain},
        "requirements-dev.txt": pinned([*extras["debug"], *extras["reload"]]),
        "requirements-build.txt": pinned(project["build-system"]["requires"]),
    }
    for name, pins in written.items():
        (HERE / name).write_text(HEAD.format(what=FILES[name]) + "\n".join(pins.values()) + "\n")
        print(f"{name}: {len(pins)} packages", flush=True)


def pinned(words: list[str]) -> dict[str, str]:
    """Return a line for each package that ``words`` bring, by its name in lower case."""
    versions: dict[str, str] = {}
    digests: dict[str, set[str]] = {}
    for platform in PLATFORMS:
        for item in resolved(words, platform):
            about = item["metadata"]
            name = about["name"].lower()
            line = f"{about['name']}=={about['version']}"
            if versions.setdefault(name, line) != line:
                raise SystemExit(f"{name}: {versions[name]} on one platform, {line} on another")
            digest = item["download_info"]["archive_info"]["hashes"]["sha256"]
            digests.setdefault(name, set()).add(digest)
    return {
        name: " ".join([versions[name], *(f"--hash=sha256:{one}" for one in sorted(digests[name]))])
        for name in sorted(versions)
    }


def resolved(words: list[str], platform: str) -> list[dict[str, Any]]:
    """Return what pip would install on a platform."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet"]
    command += ["--report", "-", "--target", "nowhere", "--only-binary", ":all:"]
    command += ["--implementation", "cp", "--python-version", PYTHON]
    for glibc in ("manylinux_2_28", "manylinux_2_17", "manylinux2014"):
        command += ["--platform", f"{glibc}_{platform}"]
    answer = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    found: list[dict[str, Any]] = json.loads(answer.stdout)["install"]
    return found


if __name__ == "__main__":
    main()
