"""Collect what the slim image is made of, in the standard image: ``collect.py FIRST SECOND``.

That is Python with its standard library, the shared libraries that it and its extension modules are
linked with, pastebox, certificates, and the small files that the C library and Python look up. Of
each Debian package that a file is of, its status and its licence are kept, in the places where
scanners and people look for them.

It comes in two directories, a layer for each: the engine has two ways of writing a layer, and what
is named like a directory beside it and more comes before or after that directory's content.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

DATED_LIKE = Path("/etc/debian_version")
"""The date of every file in the image."""
PROGRAMS = ("/usr/bin/python3", "/usr/bin/tini", "/usr/bin/env")
"""``env`` is how scripts name their interpreter."""
EXPECTED = (
    "dl.so.2",
    "gcc_s.so.1",
    "pthread.so.0",
    "resolv.so.2",
    "rt.so.1",
    "stdc++.so.6",
    "util.so.1",
)
"""What nothing here may be linked with, and wheels may expect to find (PEP 600)."""
TREES = (
    sysconfig.get_path("stdlib"),
    "/opt/pastebox",
    "/usr/share/zoneinfo",
)
WITHOUT = re.compile(
    r"/opt/pastebox/(bin/pip|lib/pip\.whl)"
    r"|.*/lib-dynload/(_ctypes_test|_curses|_dbm|_?xx|readline)[^/]*"
    r"|/usr/lib/python3\.\d+/(_pyrepl(/.*)?|_py(datetime|decimal|io)\.py"
    r"|doctest\.py|venv(/.*)?)"
)
"""pip and ``venv``, what draws on a terminal, the database behind ``dbm.ndbm`` (the default of
``dbm`` is SQLite), what is for tests, and the twins in Python of modules that are there in C."""
COMMON = re.compile(r"/usr/share/common-licenses/[\w.-]*\w")
FILES = (
    "/etc/debian_version",
    "/etc/group",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pastebox/conf.d",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/certs/ca-certificates.crt",
    "/usr/share/doc/ca-certificates/copyright",
    "/var/lib/dpkg/status.d/ca-certificates",
)
DIRECTORIES = ("/bin", "/lib", "/lib64", "/data", "/docker-entrypoint.d", "/run/pastebox", "/tmp")  # noqa: S108
ENTRYPOINT = "/usr/local/bin/docker-entrypoint.py"
ELF = b"\x7fELF"


def main(first: Path, second: Path) -> None:
    """Fill two directories."""
    collected = Collected(first)
    for tree in TREES:
        for path in walk(tree):
            collected.add(path)
    for path in (*PROGRAMS, *FILES, *DIRECTORIES):
        collected.add(path)
    for path in walk("/docker-entrypoint.d"):
        collected.add(path)
    for path in (*expected(), *linked(sorted(collected.programs))):
        collected.add(path)
    shutil.copyfile(Path(__file__).with_name("docker-entrypoint.py"), collected.place(ENTRYPOINT))
    (first / ENTRYPOINT[1:]).chmod(0o755)
    keep_packages(collected)
    part(first, second)
    date(first)
    date(second)


class Collected:
    """The files in a directory that are as they are here."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.paths: set[str] = set()
        self.programs: set[str] = set()

    def add(self, path: str) -> None:
        """Take a file, a directory without its content, or a link and what it leads to."""
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path in self.paths or WITHOUT.fullmatch(path):
            return
        self.paths.add(path)
        copy = self.place(path)
        if os.path.islink(path):
            copy.symlink_to(os.readlink(path))
            self.add(os.path.join(os.path.dirname(path), os.readlink(path)))
        elif os.path.isdir(path):
            copy.mkdir(exist_ok=True)
            copy.chmod(stat.S_IMODE(os.stat(path).st_mode))
        else:
            shutil.copy(path, copy)
            with open(path, "rb") as file:
                if file.read(len(ELF)) == ELF:
                    self.programs.add(path)

    def place(self, path: str) -> Path:
        """Return where a path is in the target, with its directories made as they are here."""
        copy = self.target / path[1:]
        if not copy.parent.is_dir():
            copy.parent.mkdir(parents=True)
            copy.parent.chmod(0o755)
        return copy


def walk(tree: str) -> Iterator[str]:
    """Yield a directory and all that is below it."""
    yield tree
    for folder, directories, files in os.walk(tree):
        yield from (os.path.join(folder, name) for name in (*directories, *files))


def expected() -> list[str]:
    """Return the paths of the libraries that applications may need."""
    folder = sysconfig.get_config_var("MULTIARCH")
    return [f"/usr/lib/{folder}/lib{name}" for name in EXPECTED]


def linked(programs: Iterable[str]) -> list[str]:
    """Return the shared libraries that programs need, and the loader.

    Raises:
        SystemExit: one of them is not there.
    """
    found: set[str] = set()
    for program in (*programs, *expected()):
        command = ["ldd", program]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode or "not found" in answer.stdout:
            raise SystemExit(f"ldd {program}: {answer.stdout}{answer.stderr}")
        found.update(re.findall(r"(/\S+) \(0x", answer.stdout))
    return sorted(found)


def keep_packages(collected: Collected) -> None:
    """Keep the status and the licence of the packages that the files are of."""
    owned = collected.paths - {path for path in collected.paths if os.path.isdir(path)}
    names = {
        about.stem
        for about in Path("/var/lib/dpkg/info").glob("*.list")
        if owned & {real(line) for line in about.read_text().splitlines()}
    }
    for name in sorted(names):
        command = ["dpkg-query", "--status", name]
        status = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        name = name.partition(":")[0]  # noqa: PLW2901  # the architecture is in the status
        collected.place(f"/var/lib/dpkg/status.d/{name}").write_text(status)
        terms = f"/usr/share/doc/{name}/copyright"
        copy = collected.place(terms)
        shutil.copyfile(terms, copy)  # of the package itself or, by a link, of its neighbour
        for common in COMMON.findall(copy.read_text()):
            collected.add(common)


def real(path: str) -> str:
    """Return the path of a file as it is known once /lib and the like are links."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def part(first: Path, second: Path) -> None:
    """Move to ``second`` what the engine's two ways of writing a layer have in different places."""
    for folder, directories, files in os.walk(first):
        names = {*directories, *files}
        for name in sorted(names):
            if any(name.startswith((f"{one}-", f"{one}.")) for one in directories):
                place = second / os.path.relpath(folder, first)
                place.mkdir(parents=True, exist_ok=True)
                os.rename(os.path.join(folder, name), place / name)
        directories[:] = [name for name in directories if os.path.isdir(os.path.join(folder, name))]
    for folder, _, _ in os.walk(second):
        same = first / os.path.relpath(folder, second)
        if same.is_dir():
            os.chmod(folder, stat.S_IMODE(same.stat().st_mode))


def date(target: Path) -> None:
    """Give every file the date of the base image's, whatever the build did."""
    when = DATED_LIKE.stat().st_mtime
    for path in walk(str(target)):
        os.utime(path, (when, when), follow_symlinks=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
