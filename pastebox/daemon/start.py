"""``PASTEBOX_MODE=daemon``: first boot, then every program under supervisor until the end."""

import gc
import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable
from typing import TextIO, cast

from pastebox.daemon.instances_plan import instances_plan
from pastebox.daemon.plan import Plan, leave_to_programs, make_plan
from pastebox.daemon.relay import Relay
from pastebox.daemon.render import render
from pastebox.daemon.rundir import CONFIG, make_run_dir, run_dir
from pastebox.errors import UnavailableError
from pastebox.master import last_hooks
from pastebox.master.head_start import HeadStart
from pastebox.master.request import ServeRequest
from pastebox.observe.logs import configure
from pastebox.process.atomic import write_atomically
from pastebox.process.signals import SignalQueue

log = logging.getLogger("pastebox.daemon")


def run(request: ServeRequest, start: HeadStart, signals: SignalQueue) -> int:
    """Do first boot if it is due, then supervise; return the exit status.

    Args:
        request: what the command line asks for.
        start: what was found and bound so far.
        signals: where signals arrive.

    Raises:
        PasteboxError: what keeps it from running.
    """
    settings = start.settings
    configure(settings.log_format, settings.log_level)
    refuse_without_supervisor()
    directory = run_dir(settings, request.environ)
    make_run_dir(directory)
    relay = Relay.take(request.environ, directory)
    instances = instances_plan(request, start, directory)
    if instances is not None:  # each does first boot, and runs its hooks, by itself
        return _supervise(instances(), instances, directory, signals, relay)
    spec = start.located.spec
    if start.settled:
        log.info("first boot: nothing to do: %s", start.settled)
        if start.health is not None:
            start.health.close()
        start.notify.close()
        if start.prepared is not None:
            spec = start.prepared.source.spec
    else:
        from pastebox.daemon.beginning import Beginning  # noqa: PLC0415  # where there is something to do

        beginning = Beginning(request, start, signals)
        outcome = beginning.run()
        start.notify.close()
        if outcome is None:
            return last_hooks.run(settings, request.environ, beginning.exit_code)
        _export(request, outcome.environ)
        spec = outcome.spec
    assert spec is not None  # noqa: S101  # first boot made an INI, or refused

    def replan() -> Plan:
        return make_plan(request, spec, directory, relay.address if relay else "")

    plan = replan()
    leave_to_programs(request.environ)
    code = _supervise(plan, replan, directory, signals, relay)
    return last_hooks.run(plan.settings, request.environ, code)


def refuse_without_supervisor() -> None:
    """Say what to install.

    Raises:
        UnavailableError: supervisor is not there.
    """
    if importlib.util.find_spec("supervisor") is None:
        raise UnavailableError(
            "supervisor is not installed, and PASTEBOX_MODE=daemon needs it",
            hint="pip install 'pastebox[daemon]'; the image has it",
        )


def _supervise(
    plan: Plan,
    replan: Callable[[], Plan],
    directory: str,
    signals: SignalQueue,
    relay: Relay | None,
) -> int:
    """Run everything; once more from the beginning where ``supervisorctl reload`` says so."""
    tempfile.tempdir = directory  # supervisor asks for one, and the root may be read-only
    from pastebox.daemon.output import SinkStream, Streams  # noqa: PLC0415  # daemon mode only
    from pastebox.daemon.supervise import Supervision  # noqa: PLC0415  # likewise

    streams = Streams()
    settings = plan.settings
    configure(
        settings.log_format, settings.log_level, stream=cast("TextIO", SinkStream(streams.err))
    )
    path = os.path.join(directory, CONFIG)
    gc.collect()
    gc.enable()
    while True:
        write_atomically(path, render(plan.programs, plan.daemon).encode(), mode=0o600)
        is_json = settings.log_format == "json"
        run = Supervision(path, plan, replan, signals, streams, relay, as_json=is_json)
        log.info(
            "supervising programs=%s control=%s",
            ",".join(group.name for group in run.options.process_group_configs),
            plan.daemon.socket,
        )
        code = run.supervise()
        if code is not None:
            log.info("stopped exit=%d", code)
            streams.flush(1.0)
            return code
        plan = replan()


def _export(request: ServeRequest, changes: dict[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            request.environ.pop(name, None)
        else:
            request.environ[name] = value
