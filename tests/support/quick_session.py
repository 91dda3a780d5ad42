"""A lock in a database that is looked after often, for tests that take it away."""

from pastebox.boot.postgresql import PostgresLock


class QuickSession(PostgresLock):
    """It asks often, and is patient with a slow machine."""

    check_s = 0.2
    gives_up_s = 60.0
    retry_s = 0.05
