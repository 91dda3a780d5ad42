"""Make the engine from the settings, and hold back other writers during the setup."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, engine_from_config, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

_EXAMPLE_URL = "a URL such as sqlite:////data/wiki.db"
_SETUP_LOCK = 0x77696B69  # one number for all setups of one database
_PRAGMAS = ("busy_timeout = 10000", "foreign_keys = ON", "journal_mode = WAL")


def driver_url(text: str) -> URL:
    """Return the database URL with the driver that this wiki uses.

    Raises:
        ValueError: the URL cannot be read or names a database the wiki does not support.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        # Neither the text nor an error that quotes it is shown: it may hold a password.
        raise ValueError(f"sqlalchemy.url: expected {_EXAMPLE_URL}") from None
    if url.drivername in ("postgres", "postgresql"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(f"sqlalchemy.url: expected sqlite or postgresql, found {url.drivername!r}")
    return url


def make_engine(settings: Mapping[str, str]) -> Engine:
    """Make an engine from the `sqlalchemy.*` settings without connecting to the database.

    Nothing is opened before the first query, so a server may fork after it loaded the application.

    Raises:
        ValueError: `sqlalchemy.url` is missing or cannot be used.
    """
    if not settings.get("sqlalchemy.url", "").strip():
        raise ValueError(f"sqlalchemy.url is missing: set it to {_EXAMPLE_URL}")
    url = driver_url(settings["sqlalchemy.url"].strip())
    is_sqlite = url.get_backend_name() == "sqlite"
    options: dict[str, Any] = {"sqlalchemy.pool_pre_ping": not is_sqlite, **settings}
    engine = engine_from_config(options | {"sqlalchemy.url": url})
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


@contextmanager
def exclusive_session(engine: Engine) -> Iterator[Session]:
    """Open a session that is the only one of its kind until it commits at the end of the block."""
    with Session(engine) as db:
        if engine.dialect.name == "sqlite":
            db.connection().exec_driver_sql("BEGIN IMMEDIATE")
        else:
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SETUP_LOCK})
        yield db
        db.commit()


def _prepare_sqlite(connection: Any, record: object) -> None:
    """Let readers and one writer work side by side, and fold all of Unicode in searches."""
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(value: str | None) -> str | None:
    """Replace SQLite's own lower(), which knows ASCII only."""
    return None if value is None else value.lower()
