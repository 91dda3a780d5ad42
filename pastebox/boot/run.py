"""First boot, from the facts to a configured and set up application."""

import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from pastebox.boot.facts import gather
from pastebox.boot.faults import armed
from pastebox.boot.lock import lock_for
from pastebox.boot.model import Plan, Policy, plan
from pastebox.boot.paths import state_paths
from pastebox.boot.refusal import refuse
from pastebox.boot.start import Report, Sets, Start
from pastebox.config.locate import Located
from pastebox.config.model import ConfigSpec
from pastebox.config.read import Config, read_leniently
from pastebox.config.source import app_source
from pastebox.errors import ConfigError, TemporaryError
from pastebox.process.deadline import Deadline
from pastebox.settings import Settings

_PROGRESS_S = 10.0


class BootOutcome(NamedTuple):
    """What first boot leaves.

    Attributes:
        spec: the INI to serve.
        environ: what hooks changed in the environment; ``None`` is a variable they unset.
        steps: what was done, in order; empty on a volume that is set up.
        ready: serve now; false where only the setup was asked for.
    """

    spec: ConfigSpec
    environ: dict[str, str | None]
    steps: tuple[str, ...]
    ready: bool


def make_start(
    located: Located,
    settings: Settings,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    report: Report,
    *,
    sets: Sets = (),
    policy: Policy | None = None,
) -> Start:
    """Put the inputs of one start together.

    Raises:
        ConfigError: a fault point that does not exist is armed.
    """
    paths = state_paths(located.spec, settings, os.getcwd())

    def config() -> Config | None:
        spec = located.spec
        if spec is None:
            return None
        return read_leniently(app_source(spec, settings, variables, environ, sets), environ)

    return Start(
        located=located,
        settings=settings,
        variables=variables,
        sets=sets,
        environ=dict(environ),
        policy=policy or Policy(settings.setup, settings.setup_on_partial),
        paths=paths,
        lock=lock_for(settings, paths, environ, config, report),
        faults=armed(settings),
        report=report,
    )


def boot(
    located: Located,
    settings: Settings,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    report: Report,
    *,
    sets: Sets = (),
) -> BootOutcome:
    """Configure and set up the application, if that is to be done, and run the hooks.

    ``report(phase, detail)`` is called at every change of phase and for progress. The phases
    are ``hook``, ``wait-for``, ``waiting``, ``make-config``, ``setup-app`` and ``boot``.

    Raises:
        PasteboxError: with the exit status that the process should end with.
    """
    start = make_start(located, settings, variables, environ, report, sets=sets)
    return Boot(start).run()


def why_nothing_to_do(
    located: Located,
    settings: Settings,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    sets: Sets = (),
) -> str:
    """Return why the journal leaves no step to a start that is to serve; empty if it leaves one.

    Hooks do not count. It is cheap: nothing is imported of the application, nothing is locked,
    nothing written.

    Raises:
        PasteboxError: the state is refused, or the INI is wrong.
    """
    start = make_start(located, settings, variables, environ, lambda *_: None, sets=sets)
    decided = plan(gather(start).facts, start.policy)
    refuse(decided)
    return decided.reason if decided.serve and not decided.steps else ""


class Boot:
    """One start at work; with ``serves`` false it ends after the setup."""

    def __init__(self, start: Start, *, serves: bool = True) -> None:
        self._start = start
        self._serves = serves
        self._changes: dict[str, str | None] = {}
        self._has_waited = False
        self._phases: set[str] = set()

    def run(self) -> BootOutcome:
        """Do everything; see :func:`boot`."""
        start = self._start
        self._run_hooks("pre-config")
        self._fetch_made_ini()
        if start.spec() is not None:
            self._run_hooks("post-config")
        decided = plan(gather(start).facts, start.policy)
        refuse(decided)
        if decided.steps == ("wait",):
            decided = self._wait_for_another_start()
        elif decided.steps:
            decided = self._carry_out()
        start.report("boot", _summary(decided))
        self._wait_for_services()
        spec = start.spec()
        if spec is None:
            raise ConfigError("the INI is gone", file=start.paths.generated_ini)
        serves = self._serves and decided.serve
        if serves:
            self._run_hooks("pre-serve")
        return BootOutcome(spec, self._changes, decided.steps, serves)

    def _fetch_made_ini(self) -> None:
        if self._start.shares_made_ini:
            from pastebox.boot.made_ini import fetch  # noqa: PLC0415  # replicas without an INI

            fetch(self._start)

    def _carry_out(self) -> Plan:
        from pastebox.boot.execute import Around, carry_out  # noqa: PLC0415  # a first start only

        # Not under the lock: who waits for a database keeps nobody else from looking.
        self._wait_for_services()
        return carry_out(self._start, Around(self._run_hooks))

    def _run_hooks(self, phase: str) -> None:
        """Run a phase of hooks, once per start."""
        start = self._start
        if phase in self._phases:
            return
        self._phases.add(phase)
        if not os.path.isdir(os.path.join(start.settings.hooks_dir, phase)):
            return
        from pastebox.boot.hooks import run_phase  # noqa: PLC0415  # where there are hooks

        changes = run_phase(phase, start.settings, start.environ, start.report)
        self._changes |= changes
        for name, value in changes.items():
            if value is None:
                start.environ.pop(name, None)
            else:
                start.environ[name] = value

    def _wait_for_services(self) -> None:
        settings = self._start.settings
        if self._has_waited or not settings.wait_for:
            return
        from pastebox.boot.wait_for import wait_for  # noqa: PLC0415  # where it is asked for

        self._start.report("wait-for", f"waiting for {', '.join(settings.wait_for)}")
        wait_for(settings.wait_for, Deadline.after(settings.wait_timeout), self._start.report)
        self._has_waited = True

    def _wait_for_another_start(self) -> Plan:
        """Look at the journal until another start has set up this version and configuration."""
        start = self._start
        deadline = Deadline.after(start.settings.lock_timeout)
        next_word = Deadline.after(0)
        while True:
            self._fetch_made_ini()
            if start.spec() is not None:
                self._run_hooks("post-config")
            facts = gather(start).facts
            decided = plan(facts, start.policy)
            refuse(decided)
            if not decided.steps:
                return decided
            told = f"the journal says {facts.remark or facts.journal}"
            if deadline.has_passed:
                raise TemporaryError(
                    f"no other start has finished the setup ({told})",
                    file=start.paths.journal,
                    hint="one start must run with PASTEBOX_SETUP=auto;"
                    " PASTEBOX_LOCK_TIMEOUT says how long the others wait",
                )
            if next_word.has_passed:
                next_word = Deadline.after(_PROGRESS_S)
                start.report("waiting", f"waiting for another start to set up, {told}")
            time.sleep(min(start.lock.look_again_s, deadline.remaining))


def _summary(decided: Plan) -> str:
    if not decided.steps:
        return f"nothing to do: {decided.reason}"
    return f"done steps={','.join(decided.steps)} reason={decided.reason}"
