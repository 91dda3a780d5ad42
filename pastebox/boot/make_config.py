"""make-config: an INI from the template of an installed application."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pastebox.boot.command import Command
from pastebox.boot.distribution import (
    InstalledDistribution,
    choose_application,
    find_distribution,
)
from pastebox.boot.installer import Installer
from pastebox.boot.installers import installer_for
from pastebox.errors import ConfigError
from pastebox.settings import Settings

GROUP = "paste.app_factory"


class Application(NamedTuple):
    """An application that can be configured: distribution, entry point, and how it was named."""

    distribution: InstalledDistribution
    name: str
    requirement: str


def find_application(requirement: str, name: str | None = None) -> Application:
    """Resolve ``distribution`` or ``distribution#entrypoint``.

    Raises:
        ConfigError: it is not installed, or has no such application.
    """
    wanted, _, fragment = requirement.removeprefix("egg:").partition("#")
    distribution = find_distribution(wanted)
    chosen = name or fragment or "main"
    offered = distribution.get_entry_map(GROUP)
    if chosen not in offered and chosen not in distribution.get_entry_map("paste.app_install"):
        others = sorted({*offered, *distribution.get_entry_map("paste.composite_factory")})
        raise ConfigError(
            f'{distribution.project_name} has no application "{chosen}" ({GROUP})',
            hint=f"it has: {', '.join(others) or 'none'}",
        )
    return Application(distribution, chosen, wanted)


def application_for(settings: Settings) -> Application:
    """Return the application that the settings name, or the only one that is installed.

    Raises:
        ConfigError: there is none of that name, or none, or several; they are listed.
    """
    return find_application(choose_application(settings.app))


def variables_for(
    application: Application, words: Mapping[str, str], *, group: str = GROUP
) -> dict[str, Any]:
    """Return what a template can refer to; the secret and the uuid are new each time."""
    import secrets  # noqa: PLC0415  # a first start only
    import uuid  # noqa: PLC0415  # likewise

    distribution = application.distribution
    fixed = {
        "project_name": distribution.project_name,
        "requirement": application.requirement,
        "ep_name": application.name,
        "ep_group": group,
    }
    made = {
        "app_name": distribution.key,
        # Its alphabet has neither % nor $, which an INI or a template would read as more.
        "app_instance_secret": secrets.token_urlsafe(32),
        "app_instance_uuid": str(uuid.uuid4()),
    }
    return {**made, **words, **fixed}


def write_config(
    application: Application,
    filename: str,
    words: Mapping[str, str],
    command: Command,
    *,
    group: str = GROUP,
) -> list[str]:
    """Let the application's installer write its INI; return the files to look at.

    What the application's own installer raises passes through.

    Raises:
        ConfigError: a template variable without a value, or ``filename`` is a directory where
            a file is expected (or the other way round).
    """
    installer = installer_for(application.distribution, group, application.name)
    check_filename(installer, filename)
    installer.write_config(command, filename, variables_for(application, words, group=group))
    return list(installer.editable_config_files(filename) or ())


def check_filename(installer: Installer, filename: str) -> None:
    """Refuse a file where the installer writes a directory, and a directory otherwise.

    Raises:
        ConfigError: with the name that would do.
    """
    expected = installer.expect_config_directory
    if expected is None:
        return
    if not expected and (filename.endswith("/") or os.path.isdir(filename)):
        raise ConfigError(file=filename, found="a directory", expected="the name of a file")
    if expected and os.path.splitext(filename)[1]:
        raise ConfigError(
            file=filename,
            found="the name of a file",
            expected="a directory, which this application's installer fills",
            hint="pastebox make-config APP DIRECTORY does it by hand",
        )
