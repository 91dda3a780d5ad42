"""From saving a module to the first answer of the new code; and what it costs to wait for a save.

The same Pyramid application, from the same INI, under pastebox and under the tools that people
use: ``pserve --reload`` (hupper), ``gunicorn --reload`` and the command of watchfiles. All run at
the same time and are saved in turn; a save is a rename, as most editors do it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from bench.served import APPS, Server, environment, free_port, show

VIEWS = """\
from pyramid.config import Configurator
from pyramid.response import Response
import sqlalchemy.orm
WORD = "{word}"

def hello(request):
    return Response(WORD)

def main(global_conf, **settings):
    with Configurator(settings=settings) as config:
        config.add_route("hello", "/")
        config.add_view(hello, route_name="hello")
        return config.make_wsgi_app()
"""
INI = """\
[app:main]
paste.app_factory = bench_site.views:main

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:{port}
threads = 4
"""
PACKAGES, MODULES = 50, 100
CLOCK = os.sysconf("SC_CLK_TCK")


class Site:
    """One copy of the application and the tool that serves it."""

    def __init__(self, name: str, directory: Path, *, wide: bool) -> None:
        self.name = name
        self.port = free_port()
        self.directory = directory / name.replace(" ", "-")
        self.package = self.directory / "bench_site"
        self.package.mkdir(parents=True)
        self.ini = self.directory / "app.ini"
        self.ini.write_text(INI.format(port=self.port))
        (self.package / "__init__.py").write_text(make_wide(self.package) if wide else "")
        self.times: list[float] = []
        self.refused = 0
        self.save("first")
        self.server: Server | None = None

    def start(self) -> None:
        """Start it, and wait for its first answer."""
        env = environment(PASTEBOX_HEALTH_PORT="off", PASTEBOX_SETUP="never")
        env["PYTHONPATH"] = str(self.directory)
        if self.name.startswith("pastebox"):
            env["PASTEBOX_RELOAD"] = self.name.split()[1]
        os.chdir(self.directory)
        self.server = Server(self.command(), self.port, env)
        self.server.wait_for_200()

    def command(self) -> list[str]:
        """Return what a person would type."""
        scripts = Path(sys.executable).parent
        ini, bind = str(self.ini), f"127.0.0.1:{self.port}"
        plain = f"{sys.executable} {APPS / 'plain.py'} {ini} {self.port}"
        return {
            "pastebox": [f"{scripts}/pastebox", "serve", ini],
            "pserve": [f"{scripts}/pserve", "--reload", ini],
            "gunicorn": [
                *(f"{scripts}/gunicorn", "--paste", ini, "--reload"),
                *("-b", bind, "--threads", "4"),
            ],
            "watchfiles": [f"{scripts}/watchfiles", plain, str(self.package)],
        }[self.name.split()[0]]

    def save(self, word: str) -> None:
        """Write the module anew."""
        new = self.package / "views.py~"
        new.write_text(VIEWS.format(word=word))
        new.rename(self.package / "views.py")

    def edit(self, word: str) -> None:
        """Save, and measure until the new code answers."""
        self.save(word)
        began = time.perf_counter()
        while time.perf_counter() - began < 30:
            with contextlib.suppress(TimeoutError):
                try:
                    if self.ask() == word:
                        self.times.append(1000 * (time.perf_counter() - began))
                        return
                except OSError:
                    self.refused += 1
            time.sleep(0.001)
        raise RuntimeError(f"{self.name} did not follow:\n{self.server and self.server.output()}")

    def ask(self) -> str:
        """Return what it answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b""
            while part := connection.recv(65536):
                answer += part
        if b"\r\n\r\n" not in answer:
            raise ConnectionResetError
        return answer.partition(b"\r\n\r\n")[2].decode()

    def cpu_s(self) -> float:
        """Return the CPU time of the whole tree of processes."""
        assert self.server is not None
        total = 0
        for pid in self.server.tree():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / CLOCK

    def stop(self) -> None:
        """End it."""
        if self.server is not None:
            self.server.stop(10)


def make_wide(package: Path) -> str:
    """Write thousands of small modules; return the text that imports all of them."""
    for outer in range(PACKAGES):
        inner = package / f"p{outer}"
        inner.mkdir()
        (inner / "__init__.py").write_text("")
        for number in range(MODULES - 1):
            (inner / f"m{number}.py").write_text(f"NUMBER = {number}\n")
    return (
        "from importlib import import_module\n"
        f"for outer in range({PACKAGES}):\n"
        f"    for number in range({MODULES - 1}):\n"
        "        import_module(f'bench_site.p{outer}.m{number}')\n"
    )


NAMES = ("pastebox events", "pastebox poll", "pserve", "gunicorn", "watchfiles")


@contextlib.contextmanager
def sites(names: tuple[str, ...], *, wide: bool):
    here = Path.cwd()
    directory = Path(tempfile.mkdtemp())
    made = [Site(name, directory, wide=wide) for name in names]
    try:
        for site in made:
            site.start()
        yield made
    finally:
        os.chdir(here)
        for site in made:
            site.stop()
        shutil.rmtree(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds of idling")
    words = parser.parse_args()
    chance = random.Random(1)
    with sites(NAMES, wide=False) as made:
        for number in range(words.rounds):
            for site in made[number % len(made) :] + made[: number % len(made)]:
                time.sleep(chance.uniform(0.2, 0.5))
                site.edit(f"word {number}")
        print(f"from the save to the first answer of the new code, {words.rounds} rounds")
        for site in made:
            show(site.name, site.times, "ms")
            if site.refused:
                print(f"{'':28} attempts refused or cut off: {site.refused}")
    with sites(("pastebox off", *NAMES), wide=True) as made:
        time.sleep(5)
        before = [site.cpu_s() for site in made]
        time.sleep(words.idle)
        print(f"CPU for a minute of waiting, {PACKAGES * MODULES} files")
        for site, spent in zip(made, before, strict=True):
            show(site.name, [60 / words.idle * (site.cpu_s() - spent)], "s")


if __name__ == "__main__":
    main()
