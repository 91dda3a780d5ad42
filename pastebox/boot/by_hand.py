"""setup-app as a person runs it: here, now, with questions, and the journal kept all the same."""

from __future__ import annotations

from collections.abc import Callable

from pastebox.boot.command import Command
from pastebox.boot.execute import Around, carry_out, make_state_directory, set_up_here
from pastebox.boot.failure import failure_of
from pastebox.boot.start import Start
from pastebox.config.model import ConfigSpec
from pastebox.errors import CannotCreateError, NoPermissionError
from pastebox.process.deadline import Deadline


def set_up_now(start: Start, spec: ConfigSpec, command: Command) -> None:
    """Set the application up in this process, under the lock, whatever the journal says.

    Where the state directory cannot be written, it is done without lock and journal, and said.

    Raises:
        AppError: the application failed; raised from its own exception.
        TemporaryError: another start has the lock.
        ConfigError: the INI is wrong, or the journal is of a newer pastebox.
    """
    if not _can_keep_state(start, command):
        _run_here("setup-app", lambda: set_up_here(start, spec, command))
        return
    around = Around(
        run_hooks=lambda _phase: None,
        command=command,
        runner=_run_here,
    )
    carry_out(start, around)


def _can_keep_state(start: Start, command: Command) -> bool:
    try:
        make_state_directory(start.paths.directory)
        start.lock.acquire(Deadline.after(start.settings.lock_timeout), command.say).release()
    except (NoPermissionError, CannotCreateError) as error:
        command.say(f"without lock and journal: {error}")
        return False
    return True


def _run_here(name: str, work: Callable[[], None]) -> None:
    """Run a step in this process, with the same errors as in a child."""
    try:
        work()
    except (Exception, SystemExit) as error:
        failure = failure_of(name, error)
        if failure is error:
            raise
        if failure is not None:
            raise failure from error
