"""A change of what runs, while it runs: only what differs is started, ended or replaced."""

import os
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

from supervisor.states import RUNNING_STATES, ProcessStates

from pastebox.daemon.instances_taken import moving
from pastebox.daemon.plan import Plan
from pastebox.daemon.programs import Program
from pastebox.daemon.render import render
from pastebox.errors import ConfigError
from pastebox.process.atomic import write_atomically

if TYPE_CHECKING:
    from pastebox.daemon.supervise import Supervision


GIVEN_UP_STATES = (ProcessStates.FATAL, ProcessStates.EXITED)


class Changes(NamedTuple):
    """The names of the programs (or groups) that an update touches; of the refused also why."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    reloaded: tuple[str, ...]
    refused: tuple[str, ...]


class Update:
    """The updates of one daemon."""

    def __init__(self, supervision: "Supervision", plan: Plan) -> None:
        self._supervision = supervision
        self._plan = plan
        self._pending: dict[str, Any] = {}
        self._moving: set[str] = set()  # those of them that wait for each other's addresses

    @property
    def is_done(self) -> bool:
        """Whether nothing waits for the end of a program."""
        return not self._pending

    def begin(self, plan: Plan) -> Changes:
        """Start what is new, and tell what is changed or gone to stop.

        Raises:
            ConfigError: the new configuration is wrong; nothing has changed.
        """
        supervision = self._supervision
        _read_again(supervision.options, plan)
        added, changed, removed = supervision.diff_to_active()
        replaced = {config.name: config for config in changed}
        old = {program.name: program for program in self._plan.programs}
        touched = [
            one
            for one in plan.programs
            if one.name in old
            and one.name not in replaced
            and one.digest != old[one.name].digest
            and one.name in supervision.process_groups
        ]
        together = moving(self._plan.programs, plan.programs)
        reloaded = [one for one in touched if one.reload_signal and one.name not in together]
        for one in reloaded:
            self._reload(one)
        for one in touched:
            if one not in reloaded:
                replaced[one.name] = supervision.process_groups[one.name].config
        self._plan = plan
        known = {config.name: config for config in supervision.options.process_group_configs}
        for name in self._pending:  # what an earlier update still waits for
            self._pending[name] = known.get(name)
        for name, config in [*replaced.items(), *((config.name, None) for config in removed)]:
            self._pending[name] = config
            for process in supervision.process_groups[name].processes.values():
                process.stop()
        self._moving |= together
        for config in added:
            if config.name in together or config.name in self._pending:
                self._pending[config.name] = config
            else:
                supervision.add_process_group(config)
        return Changes(
            tuple(config.name for config in added),
            tuple(replaced),
            tuple(config.name for config in removed),
            tuple(one.name for one in reloaded),
            plan.refused,
        )

    def go_on(self) -> None:
        """Put in the place of each group that has ended what comes after it.

        Those that swap their addresses begin when all of them have ended.
        """
        supervision = self._supervision
        self._moving &= self._pending.keys()
        are_free = not any(self._runs(name) for name in self._moving)
        for name, config in list(self._pending.items()):
            if self._runs(name) or (name in self._moving and not are_free):
                continue
            if name in supervision.process_groups:
                supervision.remove_process_group(name)
            del self._pending[name]
            if config is not None:
                supervision.add_process_group(config)

    def _runs(self, name: str) -> bool:
        group = self._supervision.process_groups.get(name)
        return group is not None and bool(group.get_unstopped_processes())

    def _reload(self, program: Program) -> None:
        number = getattr(signal, f"SIG{program.reload_signal}")
        for process in self._supervision.process_groups[program.name].processes.values():
            if process.state in RUNNING_STATES and process.pid:
                process.signal(number)
            elif process.state in GIVEN_UP_STATES:  # perhaps for what has been mended now
                process.spawn()


def _read_again(options: Any, plan: Plan) -> None:
    """Have supervisor read what is planned now; the file changes only if that goes well."""
    path = options.configfile
    beside = f"{path}.new"
    write_atomically(beside, render(plan.programs, plan.daemon).encode(), mode=0o600)
    options.configfile = beside
    try:
        options.process_config(do_usage=False)
    except ValueError as error:
        raise ConfigError(f"supervisor says: {' '.join(str(error).split())}", file=path) from error
    finally:
        options.configfile = path
    os.replace(beside, path)
