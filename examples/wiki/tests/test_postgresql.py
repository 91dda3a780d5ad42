"""The same wiki on PostgreSQL."""

import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text
from webtest import TestApp

from pastebox_wiki import main
from pastebox_wiki.database import make_engine
from pastebox_wiki.models import Base, Page
from pastebox_wiki.names import url_part
from pastebox_wiki.samples import sample_pages

URL = os.environ.get("WIKI_TEST_POSTGRESQL_URL", "")

pytestmark = pytest.mark.skipif(not URL, reason="WIKI_TEST_POSTGRESQL_URL is not set")


@pytest.fixture
def settings() -> dict[str, str]:
    return {"sqlalchemy.url": URL, "session.secret": "4b1d93c7a2f04f6e8d5c"}


@pytest.fixture
def engine(settings: dict[str, str]) -> Iterator[Engine]:
    engine = make_engine(settings)
    Base.metadata.drop_all(engine)
    yield engine
    engine.dispose()


def test_setups_at_the_same_time_double_nothing(
    engine: Engine, run_setups_at_once: Callable[[int], None], count: Callable[[type], int]
) -> None:
    run_setups_at_once(4)
    assert count(Page) == len(dict(sample_pages()))


def test_a_page_lives_through_writing_conflict_and_search(
    engine: Engine, settings: dict[str, str], run_setup: Callable[..., None]
) -> None:
    run_setup()
    app = TestApp(main({}, **settings))
    path = url_part("Über uns")
    mine, theirs = (app.get(f"/page/{path}/edit").forms[1] for _ in range(2))
    theirs["text"] = "ÄPFEL und [[Birnen]]\0"
    theirs.submit("save", status=303).follow().mustcontain("ÄPFEL", 'class="missing"')
    mine["text"] = "Birnen"
    conflict = mine.submit("save", status=409)
    conflict.forms[1].submit("save", status=303)
    app.get(f"/page/{url_part('über uns')}", status=302)
    app.get(f"/page/{path}/history").mustcontain("Revision 2")
    app.get(f"/page/{path}/diff").mustcontain("ÄPFEL")
    app.get(f"/page/{path}/revision/999999999", status=404)
    app.get("/search?q=birnen").mustcontain("Über uns")
    app.get("/recent?before=99999999999999").mustcontain("Über uns")
    app.get("/ready")


def test_moments_are_utc_whatever_the_server_thinks(
    engine: Engine, settings: dict[str, str], run_setup: Callable[..., None]
) -> None:
    run_setup()
    app = TestApp(main({}, **settings))
    with engine.connect() as connection:
        moment = connection.scalar(text("SELECT max(created_at) AT TIME ZONE 'UTC' FROM revision"))
    app.get("/recent").mustcontain(f"{moment:%H:%M} UTC")
