"""A wiki on an empty SQLite file, and a browser for it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session
from webtest import TestApp

from pastebox_wiki import main
from pastebox_wiki.database import make_engine
from pastebox_wiki.names import url_part
from pastebox_wiki.websetup import setup_app

SECRET = "4b1d93c7a2f04f6e8d5c"
_RUN = """
import sys, types
from pastebox_wiki.websetup import setup_app
setup_app(None, types.SimpleNamespace(local_conf={"sqlalchemy.url": sys.argv[1]}), {})
"""


@pytest.fixture(autouse=True)
def _close_databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what applications opened; a served one keeps its engine until the process ends."""
    opened: list[Engine] = []

    def make(settings: dict[str, str]) -> Engine:
        opened.append(make_engine(settings))
        return opened[-1]

    monkeypatch.setattr("pastebox_wiki.services.make_engine", make)
    yield
    for engine in opened:
        engine.dispose()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {
        "sqlalchemy.url": f"sqlite:///{tmp_path}/wiki.db",
        "session.secret": SECRET,
        "wiki.title": "Test wiki",
    }


@pytest.fixture
def run_setup(settings: dict[str, str]) -> Callable[..., None]:
    """Run the setup as pastebox does; keyword arguments are more settings."""

    def run(**more: str) -> None:
        setup_app(None, SimpleNamespace(local_conf=settings | more), {})

    return run


@pytest.fixture
def engine(settings: dict[str, str]) -> Iterator[Engine]:
    engine = make_engine(settings)
    yield engine
    engine.dispose()


@pytest.fixture
def run_setups_at_once(settings: dict[str, str]) -> Callable[[int], None]:
    """Run the setup in so many processes at the same time, and see all of them succeed."""

    def run(number: int) -> None:
        command = [sys.executable, "-c", _RUN, settings["sqlalchemy.url"]]
        runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(number)]
        for process in runs:
            _, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors

    return run


@pytest.fixture
def count(engine: Engine) -> Callable[[type], int]:
    """Count the rows of a table."""

    def count(table: type) -> int:
        with Session(engine) as db:
            return db.scalar(select(func.count()).select_from(table)) or 0

    return count


@pytest.fixture
def app(settings: dict[str, str], run_setup: Callable[..., None]) -> TestApp:
    run_setup()
    return TestApp(main({}, **settings))


@pytest.fixture
def write(app: TestApp) -> Callable[..., object]:
    """Write a page through its form."""

    def write(name: str, text: str, **fields: str) -> object:
        form = app.get(f"/page/{url_part(name)}/edit").forms[1]
        form["text"] = text
        for field, value in fields.items():
            form[field] = value
        return form.submit("save", status=303)

    return write
