"""The lock of starts that share a PostgreSQL database, and beside it the journal, in a row.

An advisory lock belongs to a session, and the session to the connection: the server gives the
lock back when the start and its steps have died, for the steps inherit the connection. A session
can also end without them (the server is started again, a network parts them). So a child asks
on a connection of its own whether the session still has the lock, and ends the start when not.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pastebox.boot.database import Database, driver, told_apart
from pastebox.boot.lock import Held, Place
from pastebox.boot.patience import AwayError, Patience, RefusedError, Terms, ask
from pastebox.boot.renewer import Renewer
from pastebox.errors import TemporaryError
from pastebox.process.deadline import Deadline

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_RETRY_S = 0.5
_CHECK_S = 5.0
_GIVES_UP_S = 10.0
_LOST = "the database ended the session that had the lock, or did not answer in time"
_TABLES = {
    "pastebox_setup": "(name text PRIMARY KEY, token bigint NOT NULL, journal bytea)",
    "pastebox_made": "(name text PRIMARY KEY, ini bytea NOT NULL)",
}
_TERMS = Terms(
    lock="advisory lock",
    server="database",
    who="this user",
    hint="GRANT CREATE ON SCHEMA public TO the user, or make its tables once:\n"
    + "\n".join(f"CREATE TABLE {table} {columns};" for table, columns in _TABLES.items()),
)
_KEEP_JOURNAL = "UPDATE pastebox_setup SET journal = %s WHERE name = %s AND token = %s"
_KEEP_INI = (
    "INSERT INTO pastebox_made (ini, name)"
    " SELECT %s, name FROM pastebox_setup WHERE name = %s AND token = %s"
    " ON CONFLICT (name) DO UPDATE SET ini = EXCLUDED.ini"
)
_NEXT_HOLDER = (
    "INSERT INTO pastebox_setup AS mine (name, token) VALUES (%s, 1)"
    " ON CONFLICT (name) DO UPDATE SET token = mine.token + 1 RETURNING token"
)
_OF_THE_LOCK = (
    "FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.classid::bigint = %s AND l.objid::bigint = %s"
)
_NAME_OF_PID = "(SELECT application_name FROM pg_stat_activity AS a WHERE a.pid = l.pid)"
_NUMBER_OF_ROW = "(SELECT token FROM pastebox_setup WHERE name = %s)"
_HOLDER = f"SELECT {_NAME_OF_PID} {_OF_THE_LOCK}"  # constants
_STILL_HELD = f"SELECT {_NUMBER_OF_ROW} {_OF_THE_LOCK} AND l.pid = %s"


class PostgresLock:
    """An advisory lock. ``timeout_s`` is how long reading waits for the server."""

    look_again_s = 1.0
    keeps_ini: Place = "lock"
    check_s = _CHECK_S
    gives_up_s = _GIVES_UP_S
    retry_s = _RETRY_S

    def __init__(self, database: Database, timeout_s: float) -> None:
        self._database = database
        self._timeout_s = timeout_s

    def recall(self, on_wait: Callable[[str], None]) -> bytes | None:
        """Return the journal that is kept in the row.

        Raises:
            UnavailableError: the server did not answer in time, or psycopg is not installed.
            NoPermissionError: it does not let us.
        """
        return self._ask(self._database.journal, on_wait)

    def recall_ini(self, on_wait: Callable[[str], None]) -> bytes | None:
        """Return the INI that is kept beside it; raises the same."""
        return self._ask(self._database.ini, on_wait)

    def _ask(self, question: Callable[[], T], on_wait: Callable[[str], None]) -> T:
        return ask(
            question, _TERMS, self._database.name, self._timeout_s, on_wait, pause_s=self.retry_s
        )

    def acquire(self, deadline: Deadline, on_wait: Callable[[str], None]) -> Held:
        """See :class:`pastebox.boot.lock.Lock`; also where the server is away until the deadline.

        Raises:
            UnavailableError: the server did not answer until then, or psycopg is not installed.
        """
        patience = Patience(_TERMS, self._database.name, deadline, on_wait)
        return patience.ask(lambda: self._wait(patience, deadline), self.retry_s)

    def _wait(self, patience: Patience, deadline: Deadline) -> Held:
        """Ask again and again on one connection, which becomes the holder's."""
        with contextlib.ExitStack() as unless_held, told_apart():
            connection = unless_held.enter_context(contextlib.closing(self._database.connect()))
            while not self._take(connection):
                patience.busy(self._holder(connection))
                time.sleep(min(self.retry_s, deadline.remaining + 0.001))
            held = self._hold(connection)
            unless_held.pop_all()
        return held

    def _take(self, connection: psycopg.Connection[Any]) -> bool:
        found = connection.execute("SELECT pg_try_advisory_lock(%s)", (self._database.key,))
        return bool((found.fetchone() or [False])[0])

    def _holder(self, connection: psycopg.Connection[Any]) -> str:
        found = connection.execute(_HOLDER, self._database.halves).fetchone()
        return str((found and found[0]) or "another start").removeprefix("pastebox ")

    def _hold(self, connection: psycopg.Connection[Any]) -> _HeldSession:
        asked = time.monotonic()
        _make_table(connection, "pastebox_setup")
        found = connection.execute(_NEXT_HOLDER, (self._database.name,)).fetchone() or [0]
        token = int(found[0])
        watch = _Watch(self._database, connection.info.backend_pid, token)
        renewer = Renewer(
            watch.look,
            started=asked,
            every_s=self.check_s,
            gives_up_s=self.gives_up_s,
            session=connection.fileno(),
        )
        return _HeldSession(self._database, connection, token, renewer)


class _Watch:
    """Looks after a session from another one; for the child."""

    def __init__(self, database: Database, session: int, token: int) -> None:
        self._database = database
        self._session = session
        self._token = token
        self._own: psycopg.Connection[Any] | None = None

    def look(self) -> bool:
        """Whether the session has the lock, and the row the token.

        Raises:
            AwayError: it may work the next time.
        """
        values = (self._database.name, *self._database.halves, self._session)
        try:
            with told_apart():
                if self._own is None:
                    self._own = self._database.connect()
                found = self._own.execute(_STILL_HELD, values).fetchone()
        except (AwayError, RefusedError) as error:
            own, self._own = self._own, None
            if own is not None:
                own.close()
            raise AwayError(str(error)) from error
        return found is not None and found[0] == self._token


class _HeldSession:
    """A lock that was taken, by this process's session."""

    proves_death = False
    lost = _LOST

    def __init__(
        self,
        database: Database,
        connection: psycopg.Connection[Any],
        token: int,
        renewer: Renewer,
    ) -> None:
        self.token = token
        self._database = database
        self._connection = connection
        self._renewer: Renewer | None = renewer

    def still_held(self) -> bool:
        """Whether the session is there, and the child has not found it without the lock."""
        if self._renewer is None or not self._renewer.is_at_work():
            return False
        try:
            with told_apart():
                self._connection.execute("SELECT 1")
        except (AwayError, RefusedError):
            return False
        return True

    def remember(self, content: bytes) -> None:
        """Keep the journal in the row.

        Raises:
            TemporaryError: the session has ended, or the row is somebody else's.
        """
        self._keep(_KEEP_JOURNAL, content)

    def remember_ini(self, content: bytes) -> None:
        """Keep the INI in a row of another table; raises the same."""
        self._keep(_KEEP_INI, content, "pastebox_made")

    def _keep(self, statement: str, content: bytes, table: str = "") -> None:
        reason = ""
        try:
            with told_apart():
                if table:
                    _make_table(self._connection, table)
                values = (content, self._database.name, self.token)
                if self._connection.execute(statement, values).rowcount == 1:
                    return
        except (AwayError, RefusedError) as error:
            reason = f": {error}"
        raise TemporaryError(
            f"the lock was taken away during first boot; nothing more is written{reason}",
            hint=_LOST,
        )

    def release(self) -> None:
        """Give it back; by a word, since an orphan of a step may have the connection as well."""
        if self._renewer is None:
            return
        self._renewer.stop()
        self._renewer = None
        with contextlib.suppress(AwayError, RefusedError), told_apart():
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._database.key,))
        self._connection.close()


def _make_table(connection: psycopg.Connection[Any], table: str) -> None:
    # Not IF NOT EXISTS: that wants the right to create also where somebody else has made it.
    found = connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()
    if found and found[0] is not None:
        return
    errors = driver().errors
    # Another start may make it at the same moment.
    with contextlib.suppress(errors.UniqueViolation, errors.DuplicateTable):
        connection.execute(f"CREATE TABLE {table} {_TABLES[table]}")  # constants
