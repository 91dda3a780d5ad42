"""The values behind ``%(ENV_NAME)s`` and ``%(SECRET_name)s``, looked up when a file asks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pastebox.errors import ConfigError, NoPermissionError

ENV = "ENV_"
SECRET = "SECRET_"  # noqa: S105  # a prefix, not a secret
REFERENCE = re.compile(r"%%|%\(((?:ENV|SECRET)_[^)]*)\)s")
_SECRET_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
MASK = "********"


class Variables:
    """The process environment and the secrets directory, read name by name.

    Nothing is enumerated: a name is looked at only when a file refers to it.
    """

    def __init__(self, environ: Mapping[str, str], secrets_dir: str) -> None:
        self._environ = environ
        self._secrets_dir = secrets_dir
        self._secrets: dict[str, str | None] = {}
        self.masked = False  # while a value is made for showing

    def lookup(self, name: str) -> str | None:
        """Return the value of ``ENV_X`` or ``SECRET_x``; ``None`` when there is none.

        Raises:
            ConfigError: the value cannot stand in an INI, or the secret's file is not text.
            NoPermissionError: the secret's file may not be read.
        """
        if name.startswith(ENV):
            value = self._environ.get(name[len(ENV) :])
            if value is not None and ("\n" in value or "\r" in value):
                raise ConfigError(
                    f"the environment variable {name[len(ENV) :]} has a line break in it",
                    expected="one line",
                    hint=f"put it into a file of the secrets directory, as %({SECRET}name)s",
                )
            return value
        if name.startswith(SECRET):
            value = self._secret(name[len(SECRET) :])
            return MASK if value is not None and self.masked else value
        return None

    def looked_for(self, name: str) -> str:
        """Say where the value of ``name`` was expected."""
        if name.startswith(SECRET):
            return f"the file {self._path(name[len(SECRET) :])}"
        return f"the environment variable {name[len(ENV) :]}"

    def secret_values(self, names: frozenset[str]) -> frozenset[str]:
        """Return the values of those ``SECRET_`` names that have one."""
        values = (self.lookup(name) for name in sorted(names) if name.startswith(SECRET))
        return frozenset(value for value in values if value)

    def _path(self, name: str) -> str:
        return os.path.join(self._secrets_dir, name)

    def _secret(self, name: str) -> str | None:
        if name not in self._secrets:
            if not _SECRET_NAME.fullmatch(name):
                raise ConfigError(
                    f"%({SECRET}{name})s cannot name a secret",
                    expected="letters, digits, and _ . - with no dot in front",
                )
            self._secrets[name] = _read_secret(self._path(name))
        return self._secrets[name]


def references(text: str) -> list[str]:
    """Return the ``ENV_`` and ``SECRET_`` names that a raw value refers to, escapes left out."""
    if "%(ENV_" not in text and "%(SECRET_" not in text:
        return []
    return [match[1] for match in REFERENCE.finditer(text) if match[1]]


def _read_secret(path: str) -> str | None:
    """Return a secret without its one trailing newline, or ``None`` when the file is missing."""
    from pastebox.config.text import permission_hint  # noqa: PLC0415  # most INIs have no secret

    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise NoPermissionError(
            "the secret may not be read", file=path, hint=permission_hint(path)
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the secret cannot be read: {(error.strerror or str(error)).lower()}", file=path
        ) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("the secret is not UTF-8 text", file=path) from error
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
