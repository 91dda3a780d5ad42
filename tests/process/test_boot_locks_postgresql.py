"""What the lock in a database does when its server, its session or its holder fails."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from app_process import wait_until
from postgres_server import PostgresServer
from quick_session import QuickSession

from pastebox.boot.database import Database
from pastebox.errors import ConfigError, NoPermissionError, TemporaryError, UnavailableError
from pastebox.process.deadline import Deadline

pytestmark = pytest.mark.process


def silent(_text: str) -> None:
    """Say nothing."""


def quick(server: PostgresServer, name: str = "wiki", timeout_s: float = 60) -> QuickSession:
    return QuickSession(Database(server.url, name), timeout_s)


@pytest.fixture(autouse=True)
def stops() -> Iterator[list[int]]:
    """The TERMs that this process was sent by the child that looks after a lock."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def test_locks_of_other_names_are_free(postgres):
    held = quick(postgres).acquire(Deadline.after(60), silent)
    other = quick(postgres, "blog").acquire(Deadline.after(60), silent)
    other.remember(b"blog")
    held.remember(b"wiki")
    assert quick(postgres).recall(silent) == b"wiki"
    assert quick(postgres, "blog").recall(silent) == b"blog"
    other.release()
    held.release()


def test_a_session_that_the_server_ends_is_lost(postgres, stops):
    held = quick(postgres).acquire(Deadline.after(60), silent)
    postgres.ask(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'",
    )
    wait_until(lambda: bool(stops), "the start to be told to stop")
    assert not held.still_held()
    with pytest.raises(TemporaryError, match="the lock was taken away during first boot"):
        held.remember(b"late")
    held.release()
    assert quick(postgres).recall(silent) is None


def test_the_end_of_the_session_is_seen_at_once(postgres, stops):
    """Not when the child asks the next time: who waits has the lock already."""
    lock = QuickSession(Database(postgres.url, "wiki"), 60)
    lock.check_s = lock.gives_up_s = 600.0
    held = lock.acquire(Deadline.after(60), silent)
    postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    wait_until(lambda: bool(stops), "the start to be told to stop")
    held.release()


def test_who_was_overtaken_writes_nothing(postgres):
    held = quick(postgres).acquire(Deadline.after(60), silent)
    held.remember(b"ours")
    postgres.ask("UPDATE pastebox_setup SET token = token + 1, journal = 'theirs'")
    with pytest.raises(TemporaryError, match="the lock was taken away during first boot"):
        held.remember(b"late")
    held.release()
    assert quick(postgres).recall(silent) == b"theirs"


def test_a_server_that_is_started_again_takes_the_lock_away(postgres, stops):
    held = quick(postgres).acquire(Deadline.after(60), silent)
    postgres.stop()
    try:
        wait_until(lambda: bool(stops), "the start to be told to stop")
        assert not held.still_held()
    finally:
        postgres.start()
    held.release()
    after = quick(postgres).acquire(Deadline.after(60), silent)
    assert after.token == 2
    after.release()


def test_a_server_that_is_away_is_waited_for(postgres):
    """It comes back as soon as somebody has said that it is away."""
    postgres.stop()
    said: list[str] = []

    def start(text: str) -> None:
        said.append(text)
        postgres.start()

    try:
        quick(postgres).acquire(Deadline.after(60), start).release()
    finally:
        if not said:
            postgres.start()
    assert said[0].startswith("waiting for the database: ")


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda lock: lock.recall(silent), id="recall"),
        pytest.param(lambda lock: lock.acquire(Deadline.after(0.3), silent), id="acquire"),
    ],
)
def test_a_server_that_stays_away_is_named(tmp_path, use, postgres):
    lock = QuickSession(Database(f"postgresql:///wiki?host={tmp_path}", "wiki"), 0.3)
    with pytest.raises(UnavailableError, match="did not answer about the advisory lock wiki: "):
        use(lock)


def test_a_user_without_rights_is_told_which(postgres, monkeypatch):
    monkeypatch.setattr("pastebox.boot.patience._REFUSALS_S", 0.3)
    postgres.ask("DROP ROLE IF EXISTS guest")
    postgres.ask("CREATE ROLE guest LOGIN")
    postgres.ask("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    lock = QuickSession(Database(postgres.url_of("postgres", "guest"), "wiki"), 60)
    with pytest.raises(NoPermissionError, match="permission denied") as caught:
        lock.acquire(Deadline.after(60), silent)
    hint = caught.value.hint or ""
    made = [line for line in hint.splitlines() if line.startswith("CREATE TABLE ")]
    for statement in made:
        postgres.ask(statement)
        postgres.ask(f"GRANT SELECT, INSERT, UPDATE ON {statement.split()[2]} TO guest")
    held = lock.acquire(Deadline.after(60), silent)
    held.remember(b"{}")
    held.remember_ini(b"[app:main]")
    held.release()
    assert (lock.recall(silent), lock.recall_ini(silent)) == (b"{}", b"[app:main]")


@pytest.mark.parametrize("url", ["postgresql://wiki:hush@[host/x", "postgresql://h/?hush=1"])
def test_an_address_that_is_none_is_refused_and_not_shown(url, postgres):
    with pytest.raises(ConfigError, match="PASTEBOX_LOCK_URL is no address") as caught:
        QuickSession(Database(url, "wiki"), 0.3).recall(silent)
    assert "hush" not in str(caught.value)


def test_a_url_of_sqlalchemy_is_understood(postgres):
    url = postgres.url.replace("postgresql://", "postgresql+psycopg2://")
    assert QuickSession(Database(url, "wiki"), 60).recall(silent) is None
