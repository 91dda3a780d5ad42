"""What the verbs of first boot have in common: words, settings with the INI's own, and lines."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TextIO

from pastebox.boot.model import Policy
from pastebox.boot.run import make_start
from pastebox.boot.start import Start
from pastebox.config.locate import locate, parse_words
from pastebox.config.read import read
from pastebox.settings import Settings, resolve


class Words(NamedTuple):
    """The positional arguments: what comes before the ``name=value`` words, and those."""

    names: tuple[str, ...]
    variables: dict[str, str]


def split_words(words: Sequence[str], most: int) -> Words:
    """Part the names from the variables.

    Raises:
        UsageError: there are more than ``most`` names, or one follows a variable.
    """
    names: list[str] = []
    rest = list(words)
    while rest and "=" not in rest[0].partition("#")[0] and len(names) < most:
        names.append(rest.pop(0))
    return Words(tuple(names), parse_words(rest))


def start_for(
    words: Words,
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdout: TextIO,
    decide: Callable[[Settings], Policy],
) -> Start:
    """Find the INI and put a start together, with the settings of its ``[pastebox]`` section.

    Raises:
        PasteboxError: the INI cannot be found or read, or a setting is wrong.
    """

    def say(phase: str, detail: str) -> None:
        stdout.write(f"{phase}: {detail}\n")
        stdout.flush()

    sets = tuple((section, pair) for section, pair in getattr(namespace, "sets", ()))
    argument = words.names[0] if words.names else None
    located = locate(argument, settings, environ=environ, cwd=os.getcwd())

    def make(resolved: Settings) -> Start:
        return make_start(
            located, resolved, words.variables, environ, say, sets=sets, policy=decide(resolved)
        )

    start = make(settings)
    spec = start.spec()
    if spec is None:
        return start
    section = read(start.source(spec), environ).pastebox_section()
    return make(resolve(namespace.arguments, environ, section))
