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
from pastebox.environment import from_environment, read_value_file
from pastebox.errors import ConfigError
from pastebox.settings import INSTANCE_SEED, Settings

GROUP = "paste.app_factory"
_SEED_LENGTH = 32


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


def seed_of(environ: Mapping[str, str]) -> str | None:
    """Return what the secrets of a made INI are to be derived from, if that is given.

    Raises:
        ConfigError: it is too short to keep a secret, or its file cannot be read.
    """
    given = from_environment(INSTANCE_SEED, environ, read_value_file)
    if given is None:
        return None
    if len(given.text) < _SEED_LENGTH:
        raise ConfigError(
            option=INSTANCE_SEED,
            found=f"{len(given.text)} characters ({given.origin})",
            expected=f"{_SEED_LENGTH} or more, by chance",
            hint="openssl rand -hex 32 makes one",
        )
    return given.text


def _random_bytes(purpose: str, application: Application, seed: str | None) -> bytes:
    """Return 32 bytes that nobody can guess: new ones, or always the same of a seed."""
    if seed is None:
        import secrets  # noqa: PLC0415  # a first start only

        return secrets.token_bytes(32)
    import hmac  # noqa: PLC0415  # a first start only

    label = f"pastebox {purpose} {application.distribution.key}#{application.name}"
    return hmac.digest(seed.encode(), label.encode(), "sha256")


def variables_for(
    application: Application,
    words: Mapping[str, str],
    *,
    group: str = GROUP,
    seed: str | None = None,
) -> dict[str, Any]:
    """Return what a template can refer to; without a seed the secret and the uuid are new."""
    import base64  # noqa: PLC0415  # a first start only
    import uuid  # noqa: PLC0415  # likewise

    distribution = application.distribution
    secret, identity = (_random_bytes(what, application, seed) for what in ("secret", "uuid"))
    fixed = {
        "project_name": distribution.project_name,
        "requirement": application.requirement,
        "ep_name": application.name,
        "ep_group": group,
    }
    made = {
        "app_name": distribution.key,
        # Its alphabet has neither % nor $, which an INI or a template would read as more.
        "app_instance_secret": base64.urlsafe_b64encode(secret).decode().rstrip("="),
        "app_instance_uuid": str(uuid.UUID(bytes=identity[:16], version=4)),
    }
    return {**made, **words, **fixed}


def write_config(
    application: Application,
    filename: str,
    words: Mapping[str, str],
    command: Command,
    *,
    group: str = GROUP,
    seed: str | None = None,
) -> list[str]:
    """Let the application's installer write its INI; return the files to look at.

    What the application's own installer raises passes through.

    Raises:
        ConfigError: a template variable without a value, or ``filename`` is a directory where
            a file is expected (or the other way round).
    """
    installer = installer_for(application.distribution, group, application.name)
    check_filename(installer, filename)
    variables = variables_for(application, words, group=group, seed=seed)
    installer.write_config(command, filename, variables)
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
