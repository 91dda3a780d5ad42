"""A mounted directory with an INI, and a distribution with every kind of entry point."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from paste.deploy import loadwsgi

from pastebox.config.locate import parse_spec, parse_words
from pastebox.config.model import AppSource, ServerSpec
from pastebox.config.read import Config, read, read_leniently
from pastebox.config.server import server_spec
from pastebox.config.source import AppPart, app_parts, app_source, load_app
from pastebox.settings import Settings, resolve


class Mount:
    """A directory as a container would have it, and the functions under test bound to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.etc = root / "etc"
        self.overlays = self.etc / "conf.d"
        self.secrets = root / "secrets"
        self.etc.mkdir()
        self.secrets.mkdir()
        self.environ: dict[str, str] = {}
        self.ini = str(self.etc / "app.ini")

    def write(self, text: str, name: str = "app.ini") -> str:
        path = self.etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return str(path)

    def secret(self, name: str, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode()
        (self.secrets / name).write_bytes(data)

    def settings(self, **arguments: str) -> Settings:
        given = {"overlay_dir": str(self.overlays), "secrets_dir": str(self.secrets), **arguments}
        return resolve(given, self.environ)

    def source(
        self,
        spec: str = "app.ini",
        words: Sequence[str] = (),
        sets: Sequence[Sequence[str]] = (),
        **arguments: str,
    ) -> AppSource:
        found = parse_spec(spec, "argument", str(self.etc))
        settings = self.settings(**arguments)
        return app_source(found, settings, parse_words(words), self.environ, sets)

    def read(self, *args: Any, **kwargs: Any) -> Config:
        return read(self.source(*args, **kwargs), self.environ)

    def read_leniently(self, *args: Any, **kwargs: Any) -> Config:
        return read_leniently(self.source(*args, **kwargs), self.environ)

    def server(
        self, spec: str = "app.ini", words: Sequence[str] = (), **arguments: str
    ) -> ServerSpec:
        return server_spec(self.read(spec, words), self.settings(**arguments))

    def load(self, *args: Any, **kwargs: Any) -> Any:
        return load_app(self.source(*args, **kwargs), self.environ)

    def parts(self, *args: Any, **kwargs: Any) -> list[AppPart]:
        return app_parts(self.source(*args, **kwargs), self.environ)


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path)


@pytest.fixture(autouse=True)
def _loaders_restored() -> Iterator[None]:
    before = dict(loadwsgi._loaders)
    yield
    loadwsgi._loaders.clear()
    loadwsgi._loaders.update(before)


DEMO = '''
class App:
    """What a factory was called with."""

    def __init__(self, kind, global_conf, local_conf, inner=()):
        self.kind, self.inner = kind, inner
        self.global_conf, self.local_conf = dict(global_conf), dict(local_conf)

    def __call__(self, environ, start_response):
        start_response("200 OK", [])
        return [b"ok"]


def app(global_conf, **local_conf):
    return App("app", global_conf, local_conf)

def blog(global_conf, **local_conf):
    return App("blog", global_conf, local_conf)

def strict(global_conf, size="1"):
    return App("strict", global_conf, {"size": size})

def failing(global_conf, **local_conf):
    raise RuntimeError("the factory says no")

def confused(global_conf, **local_conf):
    return strict(global_conf, colour="red")

def composite(loader, global_conf, **local_conf):
    names = [name for _, name in sorted(local_conf.items())]
    inner = [loader.get_app(name, global_conf=global_conf) for name in names]
    return App("composite", global_conf, local_conf, inner)

def filter_factory(global_conf, **local_conf):
    return lambda inner: App("filter", global_conf, local_conf, [inner])

def filter_app(inner, global_conf, **local_conf):
    return App("filter_app", global_conf, local_conf, [inner])

class holder:
    @staticmethod
    def nested(global_conf, **local_conf):
        return App("nested", global_conf, local_conf)

def serve(app, global_conf, **local_conf):
    pass
'''

ENTRY_POINTS = """
[paste.app_factory]
main = demo_wsgi:app
blog = demo_wsgi:blog
strict = demo_wsgi:strict
failing = demo_wsgi:failing
confused = demo_wsgi:confused
gone = demo_wsgi_gone:app
missing = demo_wsgi:nothing
deep = demo_deep:app
broken = demo_broken:app
both = demo_wsgi:app
[paste.composite_factory]
urlmap = demo_wsgi:composite
both = demo_wsgi:composite
[paste.filter_factory]
main = demo_wsgi:filter_factory
[paste.filter_app_factory]
wrap = demo_wsgi:filter_app
[paste.server_runner]
main = demo_wsgi:serve
"""


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install ``Demo-App 1.2``: packaged without top_level.txt, as hatchling does."""
    site = tmp_path / "site"
    info = site / "demo_app-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Demo-App\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (info / "RECORD").write_text("demo_wsgi.py,,\ndemo_deep.py,,\n")
    (site / "demo_wsgi.py").write_text(DEMO)
    (site / "demo_deep.py").write_text("import a_module_that_is_not_there\n")
    (site / "demo_broken.py").write_text("raise RuntimeError('broken at import')\n")
    monkeypatch.syspath_prepend(str(site))
    yield site
    for name in [name for name in sys.modules if name.startswith("demo_")]:
        del sys.modules[name]


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Give up root's right to read everything, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
