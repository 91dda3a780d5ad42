"""``pastebox setup-app INI[#section] [name=value ...]``: run an application's setup, now."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TextIO

from pastebox.boot.by_hand import set_up_now
from pastebox.boot.command import Command
from pastebox.boot.failure import is_bad_command
from pastebox.boot.model import Policy
from pastebox.cli.state import Words, split_words, start_for
from pastebox.errors import AppError, ExitCode, UsageError
from pastebox.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    parser.add_argument(
        "words", nargs="*", metavar="INI[#section], name=value", help="the INI, and its variables"
    )
    parser.add_argument("--name", metavar="SECTION", help="the section, instead of #section")
    add_conversation(parser)


def add_conversation(parser: argparse.ArgumentParser) -> None:
    """Define the arguments about questions and output, which make-config has as well."""
    parser.add_argument("-n", "--simulate", action="store_true", help="say it, do not do it")
    parser.add_argument(
        "--no-interactive", action="store_true", help="ask nothing: take the answer that is safe"
    )
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more")
    parser.add_argument("-q", "--quiet", action="count", default=0, help="say less")


def command_for(name: str, namespace: argparse.Namespace, stdin: TextIO, stdout: TextIO) -> Command:
    """Return the command object that these arguments describe."""
    command = Command(
        name,
        stdin=stdin,
        stdout=stdout,
        verbose=1 + namespace.verbose - namespace.quiet,
        simulate=namespace.simulate,
        interactive=not namespace.no_interactive,
    )
    command.args = list(namespace.words)
    return command


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,
    stdout: TextIO,
) -> int:
    """Set up and keep the journal; a ``BadCommand`` ends with its own message and status."""
    words = split_words(namespace.words, 1)
    if namespace.name and words.names:
        section = namespace.name.rpartition(":")[2]
        words = Words((f"{words.names[0].partition('#')[0]}#{section}",), words.variables)
    start = start_for(words, namespace, settings, environ, stdout, lambda _: Policy(force=True))
    spec = start.spec()
    if spec is None:
        raise UsageError("no INI is given", hint="pastebox setup-app app.ini")
    command = command_for("setup-app", namespace, stdin, stdout)
    try:
        set_up_now(start, spec, command)
    except AppError as error:
        cause = error.__cause__
        if cause is None or not is_bad_command(cause):
            raise
        stdout.write(f"{getattr(cause, 'message', '') or cause}\n")
        return int(getattr(cause, "exit_code", ExitCode.USAGE))
    return ExitCode.OK
