"""``pastebox make-config APP [FILE] [name=value ...]``: an INI from an application's template."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TextIO

from pastebox.boot.failure import failure_of, is_bad_command
from pastebox.boot.installer import Installer
from pastebox.boot.installers import installer_for
from pastebox.boot.make_config import (
    GROUP,
    Application,
    find_application,
    seed_of,
    write_config,
)
from pastebox.cli.setup_app import add_conversation, command_for
from pastebox.cli.state import split_words
from pastebox.errors import ExitCode, UsageError
from pastebox.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    parser.add_argument(
        "words",
        nargs="*",
        metavar="APP[#name] FILE name=value",
        help="the distribution, the INI to write, and variables for its template",
    )
    parser.add_argument("--name", metavar="NAME", help="the entry point, instead of #name")
    parser.add_argument(
        "--entry-group", default=GROUP, metavar="GROUP", help=f"its group (default {GROUP})"
    )
    parser.add_argument("--info", action="store_true", help="describe the application, no more")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a file that differs, without a question"
    )
    add_conversation(parser)


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
) -> int:
    """Write the INI, or keep the one that is there; return the exit status."""
    words = split_words(namespace.words, 2)
    names = list(words.names)
    app = names.pop(0) if names else settings.app
    if app is None:
        raise UsageError("no application is given", hint="pastebox make-config APP FILE")
    if namespace.name and "#" in app:
        raise UsageError("--name and APP#name are both given", hint="give one of them")
    application = find_application(app, namespace.name)
    command = command_for("make-config", namespace, stdin, stdout)
    command.overwrite = namespace.overwrite
    try:
        if namespace.info:
            installer = _installer(application, namespace.entry_group)
            stdout.write(f"{installer.description(None)}\n")
            return ExitCode.OK
        filename = names[0] if names else _default_filename(application, namespace.entry_group)
        files = write_config(
            application,
            filename,
            words.variables,
            command,
            group=namespace.entry_group,
            seed=seed_of(environ),
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the application's installer
        return _failed(error, stdout)
    for file in files:
        command.say(f"now look at {file}")
    return ExitCode.OK


def _installer(application: Application, group: str) -> Installer:
    return installer_for(application.distribution, group, application.name)


def _default_filename(application: Application, group: str) -> str:
    name = _installer(application, group).default_config_filename
    if not name:
        raise UsageError("no file to write is given", hint="pastebox make-config APP FILE")
    return name


def _failed(error: BaseException, stdout: TextIO) -> int:
    if is_bad_command(error):
        stdout.write(f"{getattr(error, 'message', '') or error}\n")
        return int(getattr(error, "exit_code", ExitCode.USAGE))
    failure = failure_of("make-config", error)
    if failure is None:
        return ExitCode.OK
    if failure is error:
        raise error
    raise failure from error
