"""Small installed distributions for tests of first boot, written by hand: no build tool."""

from __future__ import annotations

import base64
import hashlib
import os
import textwrap
from collections.abc import Mapping

APP = """
def main(global_conf, **local_conf):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]
    return application
"""

# One line in "runs" for every run, with its fencing token, and one effect that is made once however
# often it runs.
WEBSETUP = """
import os, signal, sys

def setup_app(command, conf, vars):
    directory = conf["effect_dir"]
    with open(os.path.join(directory, "runs"), "a") as file:
        file.write("run " + os.environ.get("PASTEBOX_FENCING_TOKEN", "-") + "\\n")
    how = conf.get("how", "well")
    if how == "raise":
        raise RuntimeError("no such table")
    if how.startswith("exit"):
        sys.exit(int(how[4:]))
    if how == "bad":
        raise command.BadCommand("the schema is of somebody else", 9)
    if how == "hang":
        os.write(1, b"hanging\\n")
        while True:
            signal.pause()
    if how == "first-hangs":
        try:
            with open(os.path.join(directory, "leading"), "x") as file:
                file.write(f"{os.getppid()} {os.getpid()}\\n")
        except FileExistsError:
            pass
        else:
            while True:
                signal.pause()
    if how == "hang-hard":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(1, b"hanging\\n")
        while True:
            signal.pause()
    with open(os.path.join(directory, "effect"), "a+") as file:
        file.seek(0)
        if not file.read():
            file.write("effect\\n")
"""

TEMPLATE = """
[app:main]
use = egg:${project_name}
secret = ${app_instance_secret}
uuid = ${app_instance_uuid}
effect_dir = %(here)s

[server:main]
use = egg:waitress#main
"""


def install(
    site: str,
    name: str = "demoapp",
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    entry_points: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Write a distribution into the directory ``site``; return its metadata directory.

    ``files`` replaces the package's files (path below ``site`` to text); ``metadata`` adds
    files to the metadata directory, such as ``top_level.txt``.
    """
    package = name.replace("-", "_")
    contents = dict(
        {
            f"{package}/__init__.py": APP,
            f"{package}/websetup.py": WEBSETUP,
            f"{package}/config/deployment.ini_tmpl": TEMPLATE,
        }
        if files is None
        else files
    )
    info = f"{package}-{version}.dist-info"
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/entry_points.txt"] = textwrap.dedent(
        f"[paste.app_factory]\nmain = {package}:main\n" if entry_points is None else entry_points
    )
    for path, text in (metadata or {}).items():
        contents[f"{info}/{path}"] = text
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in contents.items())
    contents[f"{info}/RECORD"] = record
    for path, text in contents.items():
        where = os.path.join(site, path)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w", encoding="utf-8") as file:
            file.write(text)
    return os.path.join(site, info)


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
