"""``pastebox setup [INI] [name=value ...]``: first boot without serving."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TextIO

from pastebox.boot.facts import gather
from pastebox.boot.model import Policy, plan
from pastebox.boot.refusal import refuse
from pastebox.boot.run import Boot
from pastebox.cli.state import split_words, start_for
from pastebox.errors import ExitCode
from pastebox.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    parser.add_argument(
        "words", nargs="*", metavar="INI, name=value", help="the INI, and variables for it"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="say what there is to do and do nothing; exit status 0: nothing, 75: something",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="set up now, whatever the journal says, also after a downgrade",
    )


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,  # noqa: ARG001  # nobody is asked
    stdout: TextIO,
) -> int:
    """Do what the journal leaves to do; return the exit status."""

    def decide(resolved: Settings) -> Policy:
        return _policy(resolved, force=namespace.force)

    words = split_words(namespace.words, 1)
    start = start_for(words, namespace, settings, environ, stdout, decide)
    if not namespace.check:
        Boot(start, serves=False).run()
        return ExitCode.OK
    decided = plan(gather(start).facts, start.policy)
    refuse(decided)
    if not decided.steps:
        stdout.write(f"nothing to do: {decided.reason}\n")
        return ExitCode.OK
    stdout.write(f"to do: {', '.join(decided.steps)} ({decided.reason})\n")
    return ExitCode.TEMPORARY


def _policy(settings: Settings, *, force: bool) -> Policy:
    """Return the policy of a person: asking for setup overrules an environment that forbids it."""
    setup = settings.setup
    if setup != "always" and not settings.origin("setup").startswith("argument"):
        setup = "only"
    return Policy(setup, settings.setup_on_partial, force)
