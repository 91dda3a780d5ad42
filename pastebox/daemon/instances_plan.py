"""The plan of a daemon whose programs are instances."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, MutableMapping

from pastebox.config.locate import ini_names
from pastebox.daemon.instances import base_of, leave_out, refuse_beside, without_files
from pastebox.daemon.instances_start import Instances
from pastebox.daemon.plan import SPARE_S, Plan, daemon_of
from pastebox.master.head_start import HeadStart
from pastebox.master.request import ServeRequest

log = logging.getLogger("pastebox.daemon")


def instances_plan(
    request: ServeRequest, start: HeadStart, directory: str
) -> Callable[[], Plan] | None:
    """Return what plans the instances, now and at each update; ``None`` where there are none.

    The environment of the daemon, which every instance inherits, loses what is each one's own.

    Args:
        request: what the command line asks for.
        start: what was found and bound so far; the health port is given back.
        directory: the run directory.

    Raises:
        ConfigError: there is an INI beside the instances.
    """
    settings = start.settings
    if not ini_names(settings.instances_dir):
        return None
    refuse_beside(start.located.spec, settings)
    if start.health is not None:
        start.health.close()
    start.notify.close()
    base = base_of(request, settings, directory)
    _leave_to_instances(request.environ, base.flags)
    instances = Instances(base)
    daemon = daemon_of(settings, directory)

    def plan() -> Plan:
        loaded = instances.load(request.environ)
        for one in loaded.refused:
            hint = f", hint: {one.hint}" if one.hint else ""
            log.error("instance refused name=%s: %s%s", one.name, one.error, hint)
        seconds = math.ceil(loaded.stop_s + SPARE_S)
        return Plan(
            programs=loaded.programs,
            daemon=daemon._replace(stop_seconds=seconds),
            settings=settings,
            refused=tuple(f"{one.name}: {one.error}" for one in loaded.refused),
        )

    return plan


def _leave_to_instances(environ: MutableMapping[str, str], flags: Mapping[str, str]) -> None:
    kept = without_files(leave_out(environ), flags)
    for name in environ.keys() - kept.keys():
        del environ[name]
