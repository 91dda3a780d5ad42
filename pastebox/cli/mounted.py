"""From the words of a verb that only looks to the INI that it looks at."""

import argparse
import os
from collections.abc import Mapping
from typing import NamedTuple

from pastebox.boot.paths import state_paths
from pastebox.cli.state import Words, split_words
from pastebox.config.locate import Located, locate
from pastebox.config.model import AppSource, ConfigSpec
from pastebox.config.read import Config, read_leniently
from pastebox.config.source import app_source
from pastebox.errors import ConfigError
from pastebox.settings import Settings, resolve


class Mounted(NamedTuple):
    """An INI, read as far as that goes without its missing values, and the settings with it."""

    config: Config
    settings: Settings


def add_words(parser: argparse.ArgumentParser) -> None:
    """Define the positional arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="INI[#section], name=value", help="the INI, and its variables"
    )


def words_of(namespace: argparse.Namespace) -> Words:
    """Part the INI from the variables.

    Raises:
        UsageError: there are two INIs.
    """
    return split_words(namespace.words, 1)


def located(
    namespace: argparse.Namespace, settings: Settings, environ: Mapping[str, str]
) -> Located:
    """Find the INI that the words, the environment or the mounted directory name.

    Where there is none, it is the one that an earlier start generated: serve serves that.

    Raises:
        ConfigError: what is named is not there.
        NoPermissionError: it may not be read.
    """
    names = words_of(namespace).names
    found = locate(names[0] if names else None, settings, environ=environ, cwd=os.getcwd())
    generated = state_paths(None, settings, os.getcwd()).generated_ini
    if found.spec is None and os.path.isfile(generated):
        return found._replace(spec=ConfigSpec("config", generated, "main", "make-config"))
    return found


def source_of(
    namespace: argparse.Namespace,
    spec: ConfigSpec,
    settings: Settings,
    environ: Mapping[str, str],
) -> AppSource:
    """Put the recipe together.

    Raises:
        ConfigError: an override is not in its form.
        UsageError: likewise, on the command line.
    """
    sets = [(section, pair) for section, pair in getattr(namespace, "sets", ())]
    return app_source(spec, settings, words_of(namespace).variables, environ, sets)


def open_mounted(
    namespace: argparse.Namespace, settings: Settings, environ: Mapping[str, str]
) -> Mounted:
    """Find and read the INI.

    Raises:
        ConfigError: there is none, or it, its ``[pastebox]`` section or an override is wrong.
        NoPermissionError: a file may not be read.
    """
    place = located(namespace, settings, environ)
    if place.spec is None:
        raise no_ini(place)
    config = read_leniently(source_of(namespace, place.spec, settings, environ), environ)
    return Mounted(config, resolve(namespace.arguments, environ, config.pastebox_section()))


def no_ini(place: Located) -> ConfigError:
    """Make the error that lists where an INI was looked for."""
    return ConfigError(
        "no INI was found; looked at " + ", ".join(place.looked_at),
        hint="name one: pastebox VERB app.ini; or mount one:"
        ' docker run -v "$PWD/app.ini:/etc/pastebox/app.ini:ro" IMAGE',
    )
