"""A PostgreSQL database as a lock's server: how it is reached, and what its errors mean.

Beside the lock it keeps the journal, in a row of ``pastebox_setup``, and an INI that was made, in
one of ``pastebox_made``: a table of its own, so that who may read the one need not read secrets.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pastebox.boot.identity import present_holder
from pastebox.boot.patience import AwayError, RefusedError
from pastebox.errors import ConfigError, UnavailableError

if TYPE_CHECKING:
    import psycopg

ANSWER_S = 5
_NAME_BYTES = 63
"""Of ``application_name``; the server cuts off what is longer."""
_SESSION = (
    # A host that is gone without a word would have its session, and the lock, for two hours.
    "SELECT set_config('tcp_keepalives_idle', '10', false),"
    " set_config('tcp_keepalives_interval', '5', false),"
    " set_config('tcp_keepalives_count', '3', false),"
    " set_config('client_min_messages', 'warning', false)"
)
_JOURNAL = "SELECT journal FROM pastebox_setup WHERE name = %s"
_INI = "SELECT ini FROM pastebox_made WHERE name = %s"


class Database:
    """One row of a database, and the lock of the same name."""

    def __init__(self, url: str, name: str) -> None:
        self.name = name
        self.key = int.from_bytes(
            hashlib.sha256(b"pastebox:" + name.encode()).digest()[:8], signed=True
        )
        self.halves = (self.key >> 32 & 0xFFFFFFFF, self.key & 0xFFFFFFFF)
        self._url = url

    @contextlib.contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect, for as long as the block.

        Raises:
            AwayError, RefusedError: see :func:`told_apart`.
            UnavailableError: psycopg is not installed.
            ConfigError: the URL is none of PostgreSQL's.
        """
        with told_apart():
            connection = self.connect()
        with contextlib.closing(connection):
            yield connection

    def connect(self) -> psycopg.Connection[Any]:
        """Connect; who does so closes."""
        connection: psycopg.Connection[Any] = driver().connect(
            _without_dialect(self._url),
            autocommit=True,
            connect_timeout=ANSWER_S,
            tcp_user_timeout=ANSWER_S * 1000,
            keepalives_idle=ANSWER_S,
            application_name=f"pastebox {present_holder()}"[:_NAME_BYTES],
        )
        connection.execute(_SESSION)
        return connection

    def journal(self) -> bytes | None:
        """Return what the row has, ``None`` where there is none yet; or raise as ``session``."""
        return self._kept(_JOURNAL)

    def ini(self) -> bytes | None:
        """Return the INI that was made; likewise."""
        return self._kept(_INI)

    def _kept(self, query: str) -> bytes | None:
        with self.session() as connection, told_apart():
            try:
                found = connection.execute(query, (self.name,)).fetchone()
            except driver().errors.UndefinedTable:
                return None
        return None if found is None or found[0] is None else bytes(found[0])


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """Raise what the driver raises as what to do about it.

    Raises:
        AwayError: the server does not answer, or not now, or not to this user.
        RefusedError: the user may not do it.
        ConfigError: the URL cannot be read.
    """
    errors = driver()
    try:
        yield
    except errors.errors.InsufficientPrivilege as error:
        raise RefusedError(_sentence(error)) from error
    except (errors.OperationalError, errors.InterfaceError) as error:
        raise AwayError(_sentence(error)) from error
    except errors.ProgrammingError as error:
        if error.sqlstate:
            raise
        raise ConfigError(
            "PASTEBOX_LOCK_URL is no address of a PostgreSQL database",
            expected="postgresql://user:password@host:5432/database",
        ) from None  # the driver's sentence has the password


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _without_dialect(url: str) -> str:
    """Return the URL as PostgreSQL knows it: SQLAlchemy's may name a driver."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}{mark}{rest}"


def driver() -> Any:
    """Return the module of the driver.

    Raises:
        UnavailableError: it is not installed.
    """
    try:
        import psycopg  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "lock=postgresql needs psycopg, which is not installed",
            hint='pip install "pastebox[postgresql]", which brings psycopg',
        ) from error
    return psycopg
