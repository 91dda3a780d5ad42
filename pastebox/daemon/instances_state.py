"""What the daemon knows of its instances, in a file of the run directory, for whoever asks."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pastebox.config.model import Bind
from pastebox.daemon.instances_model import Base, Instance, Refused
from pastebox.daemon.programs import Program
from pastebox.errors import ConfigError
from pastebox.process.atomic import write_atomically

_SCHEMA = 1


class State(NamedTuple):
    """The instances that run or should run, and the files that were refused."""

    base: Base
    instances: tuple[Instance, ...]
    refused: tuple[Refused, ...]


def state_path(run_dir: str) -> str:
    """Return the path of the file."""
    return os.path.join(run_dir, "instances.json")


def write_state(state: State) -> None:
    """Write the file, whole or not at all; only this user may read it.

    Raises:
        NoPermissionError, CannotCreateError: the run directory cannot be written.
    """
    facts = {
        "schema": _SCHEMA,
        "base": state.base._asdict(),
        "instances": [_plain(one) for one in state.instances],
        "refused": [one._asdict() for one in state.refused],
    }
    content = json.dumps(facts, indent=1).encode() + b"\n"
    write_atomically(state_path(state.base.run_dir), content)


def read_state(run_dir: str) -> State:
    """Return what the file says.

    Raises:
        ConfigError: it is not there, or not of this version.
    """
    path = state_path(run_dir)
    try:
        with open(path, encoding="utf-8") as file:
            facts = json.load(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no daemon with instances has its run directory here: {error}",
            file=path,
            hint="PASTEBOX_RUN_DIR names the run directory of the daemon",
        ) from error
    if facts["schema"] != _SCHEMA:
        raise ConfigError(file=path, found=f"schema {facts['schema']}", expected=f"{_SCHEMA}")
    return State(
        Base(**{**facts["base"], "sets": tuple((s, pair) for s, pair in facts["base"]["sets"])}),
        tuple(_instance(one) for one in facts["instances"]),
        tuple(Refused(**one) for one in facts["refused"]),
    )


def _plain(instance: Instance) -> dict[str, Any]:
    binds = [one._asdict() for one in instance.binds]
    programs = [one._asdict() for one in instance.programs]
    return {**instance._asdict(), "binds": binds, "programs": programs}


def _instance(facts: Mapping[str, Any]) -> Instance:
    binds = tuple(Bind(**one) for one in facts["binds"])
    programs = tuple(
        Program(**one)._replace(
            command=tuple(one["command"]),
            exit_codes=tuple(one["exit_codes"]),
            binds=tuple(Bind(*bind) for bind in one["binds"]),
        )
        for one in facts["programs"]
    )
    return Instance(**{**facts, "binds": binds, "programs": programs})


class StateFile:
    """The file, read again when it has been replaced."""

    def __init__(self, run_dir: str) -> None:
        self._run_dir = run_dir
        self._mark: tuple[int, ...] = ()
        self._state: State | None = None

    def read(self) -> State:
        """Return what it says now.

        Raises:
            ConfigError: as :func:`read_state`.
        """
        try:
            seen = os.stat(state_path(self._run_dir))
            mark: tuple[int, ...] = (seen.st_ino, seen.st_mtime_ns, seen.st_size)
        except OSError:
            mark = ()
        if self._state is None or mark != self._mark:
            self._state, self._mark = read_state(self._run_dir), mark
        return self._state
