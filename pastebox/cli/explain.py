"""``pastebox explain [INI]``: the way from the mount to the listening socket, step by step."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TextIO

from pastebox.cli.mounted import add_words
from pastebox.cli.walk import Walk
from pastebox.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    add_words(parser)


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,  # noqa: ARG001  # every verb has the same signature
    stdout: TextIO,
) -> int:
    """Print the nine steps; one that fails says why, and the later ones what they lack.

    The status is that of the first step that would stop ``serve``.
    """
    walk = Walk(namespace, settings, environ)
    for number, (title, step) in enumerate(walk.steps(), 1):
        stdout.write(f"{number}. {title}\n")
        stdout.writelines(f"   {line}\n" for line in walk.lines_of(step))
    return walk.exit_code
