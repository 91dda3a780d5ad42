"""What two instances cannot both have: a name, an address."""

from __future__ import annotations

import os

from pastebox.config.model import Bind
from pastebox.daemon.instances_model import Instance
from pastebox.errors import ConfigError

_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::", "[::]"})  # noqa: S104  # compared, not bound


class Taken:
    """Names and addresses that somebody has."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._binds: list[tuple[Bind, str]] = []

    def take(self, instance: Instance) -> None:
        """Have them all, or none.

        Raises:
            ConfigError: another instance has one of them.
        """
        for program in instance.programs:
            # Equal on a volume that does not tell upper from lower case.
            other = self._names.get(program.name.lower())
            if other is not None:
                raise ConfigError(
                    f'the name "{program.name}" is that of a program of {os.path.basename(other)},'
                    " but perhaps for upper and lower case",
                    file=instance.path,
                    hint="rename one of them",
                )
        for bind in instance.binds:
            for theirs, path in self._binds:
                if overlap(bind, theirs):
                    raise _same_address(instance, bind, path)
        self.keep(instance)

    def keep(self, instance: Instance) -> None:
        """Have them, whoever has them as well."""
        self._names |= {one.name.lower(): instance.path for one in instance.programs}
        self._binds += [(bind, instance.path) for bind in instance.binds]


def overlap(one: Bind, other: Bind) -> bool:
    """Whether two addresses cannot be listened on at once."""
    if one.kind != other.kind:
        return False
    if one.kind == "unix":
        return os.path.abspath(one.path) == os.path.abspath(other.path)
    if one.port != other.port or not one.port:
        return False
    return one.host == other.host or bool(_EVERYWHERE.intersection((one.host, other.host)))


def _same_address(instance: Instance, bind: Bind, other: str) -> ConfigError:
    return ConfigError(
        f"listens on {bind}, and so does {os.path.basename(other)}",
        file=instance.path,
        hint="give each instance its own: port = ... in [server:main], or in [pastebox]",
    )
