"""What two instances cannot both have: a name, an address; and those that swap what they have."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pastebox.config.bind import UNIX
from pastebox.config.model import Bind
from pastebox.daemon.instances_model import Base, Instance
from pastebox.daemon.programs import Program
from pastebox.errors import ConfigError

_EVERYWHERE = frozenset({"", "*", "0.0.0.0", "::", "[::]"})  # noqa: S104  # compared, not bound


class Taken:
    """Names and addresses that somebody has.

    Args:
        health: where all of them are asked for; ``None`` where nobody asks.
    """

    def __init__(self, health: Bind | None = None) -> None:
        self._health = health
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
            if self._health is not None and overlap(bind, self._health):
                raise ConfigError(
                    f"listens on {bind}, and so does the health port of all instances"
                    f" ({self._health})",
                    file=instance.path,
                    hint="give it another port, or the health port with PASTEBOX_HEALTH_PORT",
                )
            for theirs, path in self._binds:
                if overlap(bind, theirs):
                    raise _same_address(instance, bind, path)
        self.keep(instance)

    def keep(self, instance: Instance) -> None:
        """Have them, whoever has them as well."""
        self._names |= {one.name.lower(): instance.path for one in instance.programs}
        self._binds += [(bind, instance.path) for bind in instance.binds]


def health_bind(base: Base) -> Bind | None:
    """Return where all instances are asked for; ``None`` where nobody asks."""
    if base.health_host.startswith(UNIX):
        return Bind("unix", path=base.health_host.removeprefix(UNIX))
    if base.health_port is None:
        return None
    return Bind("tcp", base.health_host, base.health_port)


def moving(old: Iterable[Program], new: Iterable[Program]) -> frozenset[str]:
    """Return the names of programs that cannot follow each other while they run.

    One of them is to have an address that another one still has.
    """
    was = [(one.name, bind) for one in old for bind in one.binds]
    found: set[str] = set()
    for one in new:
        for name, bind in was:
            if name != one.name and any(overlap(bind, other) for other in one.binds):
                found |= {name, one.name}
    return frozenset(found)


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
