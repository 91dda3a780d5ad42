"""Which lock suits, and which database has it."""

from __future__ import annotations

import sys

import pytest

from pastebox.boot.database import Database
from pastebox.boot.lock import FileLock, lock_for
from pastebox.boot.paths import StatePaths
from pastebox.boot.postgresql import PostgresLock
from pastebox.boot.suitable import database_url, suitable
from pastebox.config.model import ConfigSpec
from pastebox.config.read import read_leniently
from pastebox.config.source import app_source
from pastebox.errors import ConfigError, UnavailableError
from pastebox.process.deadline import Deadline
from pastebox.settings import resolve

PATHS = StatePaths("/nonexistent", "/nonexistent/j", "/nonexistent/l", "/nonexistent/i")


def settings(**environ: str):
    return resolve({}, {f"PASTEBOX_{name}": value for name, value in environ.items()})


@pytest.fixture
def ini(tmp_path):
    """Make a reader of an INI with this text."""

    def make(text: str, **environ: str):
        path = tmp_path / "app.ini"
        path.write_text(text)
        source = app_source(
            ConfigSpec("config", str(path), "main", "test"), settings(), {}, environ
        )
        return lambda: read_leniently(source, environ)

    return make


def nothing():
    return None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param("[app:main]\nsqlalchemy.url = postgresql://db/wiki\n", "[app:main]", id="app"),
        pytest.param(
            "[app:main]\nsqlalchemy.url = postgresql+psycopg2://db/wiki\n",
            "[app:main]",
            id="driver",
        ),
        pytest.param(
            "[DEFAULT]\ndb_url = postgres://db/wiki\n[app:main]\n", "[app:main]", id="all"
        ),
        pytest.param(
            "[app:main]\nuse = x\n[app:wiki]\nsqlalchemy.url = postgresql://db/wiki\n",
            "[app:wiki]",
            id="another section",
        ),
    ],
)
def test_the_database_of_the_application_has_the_lock(ini, text, where):
    name, reason = suitable(settings(), {}, ini(text))
    assert name == "postgresql"
    assert reason.startswith(where)
    assert "//db" not in reason, "an address may hold a password"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[app:main]\nsqlalchemy.url = sqlite:///wiki.db\n", id="sqlite"),
        pytest.param("[app:main]\nsqlalchemy.url = %(ENV_URL)s\n", id="without a value"),
        pytest.param("[app:main]\nuse = x\n", id="none"),
    ],
)
def test_a_file_is_what_is_left(ini, text):
    name, reason = suitable(settings(), {}, ini(text))
    assert (name, reason) == ("file", "no Kubernetes and no PostgreSQL to ask")


def test_the_setting_comes_before_the_ini(ini):
    read = ini("[app:main]\nsqlalchemy.url = postgresql://db/wiki\n")
    assert database_url(settings(LOCK_URL="postgresql://other/x"), read) == "postgresql://other/x"
    assert database_url(settings(), read) == "postgresql://db/wiki"


def test_no_database_is_an_error_that_says_how_to_give_one(ini):
    with pytest.raises(ConfigError, match="names none of PostgreSQL") as caught:
        lock_for(settings(LOCK="postgresql"), PATHS, {}, ini("[app:main]\n"))
    assert "PASTEBOX_LOCK_URL_FILE" in (caught.value.hint or "")


def test_a_pod_may_have_a_token_and_no_api_server(tmp_path):
    """Nothing listens there: who chose another lock now would be alone with it."""
    (tmp_path / "token").write_text("t")
    (tmp_path / "namespace").write_text("n")
    (tmp_path / "ca.crt").write_text("")
    environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}
    name, reason = suitable(settings(), environ, nothing, str(tmp_path))
    assert name == "lease"
    assert "the API server is away" in reason


def test_what_was_chosen_is_said_in_one_line(ini):
    said: list[tuple[str, str]] = []
    lock = lock_for(settings(LOCK="auto"), PATHS, {}, nothing, lambda *words: said.append(words))
    assert isinstance(lock, FileLock)
    assert said == [("boot", "lock=file reason=no Kubernetes and no PostgreSQL to ask")]
    read = ini("[app:main]\nsqlalchemy.url = postgresql://db/wiki\n")
    assert isinstance(lock_for(settings(LOCK="auto"), PATHS, {}, read), PostgresLock)


def test_without_the_driver_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    lock = PostgresLock(Database("postgresql://db/wiki", "wiki"), 1)
    with pytest.raises(UnavailableError, match="needs psycopg") as caught:
        lock.acquire(Deadline.after(1), lambda _: None)
    assert caught.value.hint == 'pip install "pastebox[postgresql]", which brings psycopg'


def test_names_have_keys_of_their_own():
    one, other = Database("", "wiki"), Database("", "blog")
    assert one.key != other.key
    assert one.key == (one.halves[0] << 32 | one.halves[1]) - (1 << 64 if one.key < 0 else 0)
