"""Which lock suits: by where this process runs, and which database the application has."""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping

from pastebox.boot.kubernetes import ACCOUNT_DIR, Leases
from pastebox.boot.patience import AwayError, RefusedError
from pastebox.config.read import Config
from pastebox.errors import ConfigError
from pastebox.settings import Settings

_SCHEMES = ("postgresql", "postgres")
_NAMES = ("sqlalchemy.url", "database_url", "database.url", "db.url", "db_url", "dsn")
"""Options that name a database, as frameworks spell them."""


def suitable(
    settings: Settings,
    environ: Mapping[str, str],
    config: Callable[[], Config | None],
    account_dir: str = ACCOUNT_DIR,
) -> tuple[str, str]:
    """Return the name of a lock, and why.

    All replicas have to come to the same answer, so it does not depend on what is away just now.

    Raises:
        ConfigError: the INI is wrong.
    """
    why_no_lease = ""
    if environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(f"{account_dir}/token"):
        try:
            Leases(settings.lock_name, environ, account_dir).get()
        except RefusedError as error:
            why_no_lease = f"; no Lease: {error}"
        except AwayError as error:
            return "lease", f"this pod has a service account; the API server is away: {error}"
        else:
            return "lease", "this pod may use Leases"
    found = _found(settings, config)
    if found is not None:
        return "postgresql", f"{found[0]} is a PostgreSQL database{why_no_lease}"
    return "file", f"no Kubernetes and no PostgreSQL to ask{why_no_lease}"


def database_url(settings: Settings, config: Callable[[], Config | None]) -> str:
    """Return the address of the database that has the lock.

    Raises:
        ConfigError: neither the settings nor the INI has one.
    """
    found = _found(settings, config)
    if found is None:
        raise ConfigError(
            "lock=postgresql needs a database, and the INI names none of PostgreSQL",
            hint="set PASTEBOX_LOCK_URL=postgresql://user@host/database, or"
            " PASTEBOX_LOCK_URL_FILE to a file that has it",
        )
    return found[1]


def _found(settings: Settings, config: Callable[[], Config | None]) -> tuple[str, str] | None:
    """Return where the address of a PostgreSQL database is, and the address."""
    if settings.lock_url:
        return "PASTEBOX_LOCK_URL", settings.lock_url
    read = config()
    if read is None:
        return None
    name = read.source.spec.name
    ours = [section for section in read.sections() if section.partition(":")[2] == name]
    for section in [*ours, *read.sections()]:
        for option in _NAMES:
            try:
                url = read.get(section, option)
            except (ConfigError, configparser.Error):
                continue  # not there, or without a value: nothing to ask
            if url.partition(":")[0].partition("+")[0] in _SCHEMES:
                return f"[{section}] {option}", url
    return None
