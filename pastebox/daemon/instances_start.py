"""From the directory of instances to the programs that are to run, now and at an update."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pastebox.daemon.instances import HEALTH, find, make_places
from pastebox.daemon.instances_model import Base, Instance, Refused
from pastebox.daemon.instances_state import State, write_state
from pastebox.daemon.programs import Program
from pastebox.errors import ConfigError, PasteboxError
from pastebox.process.atomic import make_directory

_HEALTH_PRIORITY = 0
"""Before every instance: it tells of their starts, and of their stops."""


class Loaded(NamedTuple):
    """What is to run.

    Attributes:
        programs: the instances' programs and the one that tells their health.
        refused: the files that cannot be served; what they served before goes on.
        stop_s: how long the longest drain may take.
    """

    programs: tuple[Program, ...]
    refused: tuple[Refused, ...]
    stop_s: float


class Instances:
    """The instances of one daemon.

    Args:
        base: what they have in common.
    """

    def __init__(self, base: Base) -> None:
        self._base = base
        self._state: State | None = None

    def load(self, environ: Mapping[str, str]) -> Loaded:
        """Read the directory, and say what is to run.

        At the first time a file that is refused can be the end of the start. Later it harms
        nobody: what it has served before goes on as it was.

        Args:
            environ: the daemon's environment.

        Raises:
            PasteboxError: the directory cannot be read, or the run directory not be written; at
                the start also why an instance is refused, if any may fail the whole or all do.
        """
        base = self._base
        make_directory(base.run_dir, mode=0o700)
        there = {one.name: one for one in self._state.instances} if self._state else {}
        found = find(base, environ, there.values())
        instances: list[Instance] = []
        refused = list(found.refused)
        for one in found.instances:
            try:
                make_places(one)
                instances.append(one)
            except PasteboxError as error:
                told = (str(error), error.hint or "", int(error.exit_code))
                refused.append(Refused(one.name, one.path, *told))
        if self._state is None:
            _refuse_all(base, instances, refused)
        instances += [there[one.name] for one in refused if one.name in there]
        instances.sort(key=lambda one: one.name)
        for name in there.keys() - {one.name for one in instances}:
            # Nobody asks for its health any more. Its data stay.
            shutil.rmtree(os.path.join(base.run_dir, "instances", name), ignore_errors=True)
        self._state = State(base, tuple(instances), tuple(refused))
        write_state(self._state)
        return Loaded(
            programs=(*_health(base), *(program for one in instances for program in one.programs)),
            refused=tuple(refused),
            stop_s=max((one.stop_s for one in instances), default=0.0),
        )


def _refuse_all(base: Base, instances: list[Instance], refused: list[Refused]) -> None:
    """Begin with nothing where the policy says so, or nothing is left.

    Raises:
        PasteboxError: with the exit status of the first that is refused.
    """
    if not refused or (instances and base.fail == "all"):
        return
    first = refused[0]
    error = ConfigError(first.error, hint=first.hint or None)
    error.exit_code = first.code  # type: ignore[assignment]  # a status of some kind
    raise error


def _health(base: Base) -> Iterator[Program]:
    if base.health_port is None and not base.health_host.startswith("unix:"):
        return
    words = (f"{__package__}.instances_health", base.run_dir)
    address = (base.health_host, str(base.health_port or 0))
    yield Program(
        name=HEALTH,
        command=(sys.executable, "-P", "-m", *words, *address),
        priority=_HEALTH_PRIORITY,
        essential=True,
        restart="always",
    )
