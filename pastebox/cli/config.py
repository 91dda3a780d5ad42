"""``pastebox config [INI]``: print the effective INI, with secrets masked."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TextIO

from pastebox.cli.mounted import add_words, open_mounted
from pastebox.config.render import render
from pastebox.errors import ExitCode, UsageError
from pastebox.settings import Settings, nearest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    add_words(parser)
    parser.add_argument(
        "--origins", action="store_true", help="say above each option where it was written"
    )
    parser.add_argument(
        "--section",
        action="append",
        default=[],
        metavar="NAME",
        help="print this section only; can be repeated",
    )


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,  # noqa: ARG001  # every verb has the same signature
    stdout: TextIO,
) -> int:
    """Print the INI as it is in force, overlays and overrides included."""
    config = open_mounted(namespace, settings, environ).config
    known = ["DEFAULT", *config.sections()]
    for section in namespace.section:
        if section not in known:
            near = nearest(section, frozenset(known))
            raise UsageError(
                option="--section",
                found=f'"{section}"',
                expected="one of " + ", ".join(known),
                hint=f"did you mean {near}?" if near else None,
            )
    stdout.write(render(config, origins=namespace.origins, sections=namespace.section or None))
    return ExitCode.OK
