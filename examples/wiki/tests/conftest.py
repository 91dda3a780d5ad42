"""A wiki on an empty SQLite file, and a browser for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine
from webtest import TestApp

from pastebox_wiki import main
from pastebox_wiki.database import make_engine
from pastebox_wiki.names import url_part
from pastebox_wiki.websetup import setup_app

SECRET = "4b1d93c7a2f04f6e8d5c"


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
