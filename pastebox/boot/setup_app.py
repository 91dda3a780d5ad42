"""setup-app: run the installer of every application behind an INI's section."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pastebox.boot.command import Command
from pastebox.boot.distribution import find_distribution
from pastebox.boot.installers import installer_for
from pastebox.boot.websetup import Conf, Context
from pastebox.config.model import AppSource
from pastebox.config.source import AppPart, app_parts

GROUP = "paste.app_factory"


def set_up(source: AppSource, environ: Mapping[str, str], command: Command) -> None:
    """Set up each application once, in the order of the INI's walk.

    The applications are imported and their setup is run in this process. What they raise
    passes through.

    Raises:
        ConfigError: the INI is wrong.
    """
    parts = app_parts(source, environ)
    command.conf_for = lambda filename, section: _conf(parts, filename, section)
    for part in parts:
        _set_up_part(part, source, command)


def _set_up_part(part: AppPart, source: AppSource, command: Command) -> None:
    where = f"section=[{part.section}]" if part.section else f"application={part.factory}"
    if part.distribution is None:
        command.say(f"nothing to set up: {part.factory} belongs to no distribution {where}")
        return
    distribution = find_distribution(part.distribution)
    command.say(f"setting up {distribution} {where}")
    installer = installer_for(distribution, GROUP, part.entry_point or "main")
    installer.setup_config(command, part.filename, part.section, dict(source.variables))


def _conf(parts: list[AppPart], filename: str, section: str) -> Any:
    for part in parts:
        if (part.filename, part.section) == (filename, section):
            return _conf_of(part)
    # An installer of the application's may spell the section in its own way.
    name = section.rpartition(":")[2]
    for part in parts:
        if part.section.rpartition(":")[2] == name:
            return _conf_of(part)
    return _conf_of(parts[0])


def _conf_of(part: AppPart) -> Conf:
    distribution = find_distribution(part.distribution).wrapped if part.distribution else None
    context = Context(
        dict(part.global_conf), dict(part.local_conf), distribution, part.entry_point or "main"
    )
    return Conf(context, part.filename)
