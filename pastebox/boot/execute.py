"""Carry the plan out: under the lock, with the journal before and after."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from pastebox.boot import journal as journals
from pastebox.boot.command import Command
from pastebox.boot.facts import Situation, fingerprint_of, gather
from pastebox.boot.identity import present_holder
from pastebox.boot.journal import Fingerprint, Journal, State
from pastebox.boot.lock import Held
from pastebox.boot.model import Plan, Step, plan
from pastebox.boot.refusal import refuse
from pastebox.boot.start import Start
from pastebox.boot.step import interruption, run_step
from pastebox.config.model import ConfigSpec
from pastebox.config.read import read, read_leniently
from pastebox.config.variables import MASK
from pastebox.errors import AppError, PasteboxError, TemporaryError
from pastebox.process.atomic import make_directory
from pastebox.process.deadline import Deadline
from pastebox.process.signals import STOPPING, SignalQueue
from pastebox.settings import FENCING_TOKEN

Phase = Callable[[str], None]
Runner = Callable[[str, Callable[[], None]], None]


class Around(NamedTuple):
    """What goes on around the steps.

    Attributes:
        run_hooks: runs the hooks of a phase.
        command: the command object of setup-app; ``None``: one that nobody answers.
        runner: runs a step; ``None``: in a child of its own.
    """

    run_hooks: Phase
    command: Command | None = None
    runner: Runner | None = None


def carry_out(start: Start, around: Around) -> Plan:
    """Take the lock, look again, and do what is left to do; return the plan that was carried out.

    Raises:
        PasteboxError: a step failed, which the journal then says; the lock was not to be had;
            or the state is refused.
    """
    start.faults.reach("before-lock")
    make_state_directory(start.paths.directory)
    held = start.lock.acquire(
        Deadline.after(start.settings.lock_timeout), lambda text: start.report("waiting", text)
    )
    try:
        start.faults.reach("after-lock")
        if held.token:
            start.environ[FENCING_TOKEN] = str(held.token)
        share_made_ini(start, held)
        if start.spec() is not None:
            # Another start may have made it meanwhile; its hooks belong to reading it.
            around.run_hooks("post-config")
        situation = gather(start, lock_proves_death=held.proves_death)
        decided = plan(situation.facts, start.policy)
        refuse(decided)
        if decided.steps:
            work = _Work(start, held, situation, decided, around)
            # A person's own process is stopped as Python does it.
            work.run() if around.runner is not None else _undisturbed(work)
        start.faults.reach("before-unlock")
        return decided
    finally:
        start.environ.pop(FENCING_TOKEN, None)
        held.release()


def share_made_ini(start: Start, held: Held) -> None:
    """Let all starts have the INI that one of them made, where the lock is what they share."""
    if not start.shares_made_ini:
        return
    from pastebox.boot.made_ini import fetch, hand_in  # noqa: PLC0415  # replicas without an INI

    fetch(start)
    hand_in(start, held)


def _undisturbed(work: "_Work") -> None:
    """Run the steps so that TERM and INT are acted on between writes, not in one.

    Raises:
        TemporaryError: such a signal came; what was finished is in the journal.
    """
    with SignalQueue(STOPPING) as signals:

        def look_for_a_stop() -> None:
            for number in signals.take():
                raise interruption("first boot", number)

        work.run(look_for_a_stop)
        look_for_a_stop()


def make_state_directory(path: str) -> None:
    """Create the directory of the journal, for the owner and the group: it holds secrets.

    Raises:
        NoPermissionError: the volume cannot be written; the hint has the ownership to give.
        CannotCreateError: another error of the operating system.
    """
    if os.path.isdir(path):
        return
    try:
        make_directory(path, mode=0o770)
    except PasteboxError as error:
        error.hint = "\n".join(filter(None, (error.hint, journals.DATA_DIR_HINT)))
        raise
    # The umask took the group's right to write, and the next start may have another uid.
    with contextlib.suppress(OSError):
        os.chmod(path, 0o770)  # noqa: S103  # nothing for others


class _Work:
    """The steps of one plan, and the journal that follows them."""

    def __init__(
        self,
        start: Start,
        held: Held,
        situation: Situation,
        decided: Plan,
        around: Around,
    ) -> None:
        self._start = start
        self._held = held
        self._spec = situation.spec
        self._steps = decided.steps
        self._around = around
        self._journal = _opening(situation, held, decided.steps[0])

    def run(self, look_for_a_stop: Callable[[], None] = lambda: None) -> None:
        """Take the steps; ``look_for_a_stop`` may raise before each of them."""
        faults = self._start.faults
        faults.reach("before-journal-running")
        self._write()
        faults.reach("after-journal-running")
        try:
            for step in self._steps:
                look_for_a_stop()
                self._take(step)
                getattr(self, f"_{step.replace('-', '_')}")()
            faults.reach("before-journal-done")
            self._close("done")
        except PasteboxError as error:
            # The reason that is worth reporting is the first one.
            with contextlib.suppress(PasteboxError):
                self._close("failed", self._redacted(str(error)))
            raise
        faults.reach("after-journal-done")

    def _take(self, step: Step) -> None:
        if self._journal.step != step:
            self._journal = self._journal._replace(step=step)
            self._write()

    def _make_config(self) -> None:
        start = self._start
        start.report("make-config", f"making {start.paths.generated_ini}")
        self._step("make-config", lambda: generate(start))
        self._spec = start.spec()
        if self._spec is None:
            raise AppError(
                "make-config ended well, but its installer wrote no such file",
                file=start.paths.generated_ini,
            )
        start.faults.reach("after-make-config")
        share_made_ini(start, self._held)
        self._around.run_hooks("post-config")

    def _setup_app(self) -> None:
        start, spec = self._start, self._spec
        if spec is None:  # the plan has make-config before
            raise AppError("there is no INI to set up")
        self._around.run_hooks("pre-setup")
        self._note(fingerprint_of(start, spec))
        start.report("setup-app", f"setting up {spec.uri}")
        start.faults.reach("before-setup")
        self._step("setup-app", lambda: set_up_here(start, spec, self._around.command))
        start.faults.reach("after-setup")
        self._around.run_hooks("post-setup")

    def _step(self, name: str, work: Callable[[], None]) -> None:
        start = self._start
        if self._around.runner is not None:
            self._around.runner(name, work)
        else:
            run_step(name, work, limit_s=start.settings.setup_timeout, report=start.report)

    def _note(self, fingerprint: Fingerprint) -> None:
        """Let the journal say what is being set up, once that is known."""
        config = journals.salted(self._journal.salt, fingerprint.config)
        if (self._journal.applications, self._journal.config) == (fingerprint.applications, config):
            return
        self._journal = self._journal._replace(applications=fingerprint.applications, config=config)
        self._write()

    def _redacted(self, text: str) -> str:
        """Mask the INI's secrets in what an application's exception says."""
        if self._spec is None:
            return text
        config = read_leniently(self._start.source(self._spec), self._start.environ)
        for secret in config.secrets():
            text = text.replace(secret, MASK)
        return text

    def _close(self, state: State, error: str = "") -> None:
        self._journal = self._journal._replace(state=state, finished=_now(), error=error)
        self._write()

    def _write(self) -> None:
        if not self._held.still_held():
            raise TemporaryError(
                "the lock was taken away during first boot; nothing more is written",
                file=self._start.paths.lock,
                hint=self._held.lost,
            )
        self._held.remember(journals.render(self._journal))


def _opening(situation: Situation, held: Held, step: Step) -> Journal:
    before = situation.journal
    salt = journals.new_salt()
    fingerprint = situation.fingerprint or Fingerprint((), "")
    return Journal(
        state="running",
        applications=fingerprint.applications,
        salt=salt,
        config=journals.salted(salt, fingerprint.config) if situation.fingerprint else "",
        step=step,
        attempt=before.attempt + 1 if before is not None and before.state != "done" else 1,
        token=held.token,
        holder=present_holder(),
        started=_now(),
    )


def generate(start: Start) -> None:
    """Write the generated INI; in a child, which imports the application's installer."""
    from pastebox.boot.make_config import (  # noqa: PLC0415  # likewise
        application_for,
        seed_of,
        write_config,
    )

    os.environ.update(start.environ)
    command = Command("make-config", speak=lambda text: start.report("make-config", text))
    # There was no INI: what lies there is a torn attempt of an installer's own.
    command.overwrite = True
    command.before_write = lambda _path: start.faults.reach("in-make-config", with_parent=True)
    application = application_for(start.settings)
    seed = seed_of(start.environ)
    write_config(application, start.paths.generated_ini, start.variables, command, seed=seed)


def set_up_here(start: Start, spec: ConfigSpec, command: Command | None = None) -> None:
    """Set the application up in this process: a step's child, or a command of a person's."""
    from pastebox.boot.setup_app import set_up  # noqa: PLC0415  # likewise

    os.environ.update(start.environ)
    log_as_the_ini_says(start, spec)
    asked = command or Command("setup-app", speak=lambda text: start.report("setup-app", text))
    set_up(start.source(spec), start.environ, asked)
    start.faults.reach("in-setup", with_parent=True)


def log_as_the_ini_says(start: Start, spec: ConfigSpec) -> None:
    """Configure the INI's ``[loggers]``, as paster's setup-app does before it loads anything."""
    config = read(start.source(spec), start.environ)
    if config.has_loggers and start.settings.log_format == "ini":
        from pastebox.observe.logs import configure  # noqa: PLC0415  # where the INI has [loggers]

        level = start.settings.log_level
        configure("ini", level, loggers=config.parser, variables=start.variables)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
