"""The files that a configuration was read from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from pastebox.config.read import Config
from pastebox.config.variables import SECRET, references
from pastebox.settings import options


def files_of(config: Config, environ: Mapping[str, str]) -> list[str]:
    """Return them in order: INI, includes, overlays, secrets, the files of ``_FILE`` variables.

    A secret or an include that is not there yet is among them; overlays that may come are in the
    directory :attr:`AppSource.overlay_dir`, which is not.
    """
    return list(dict.fromkeys(os.path.abspath(path) for path in _files(config, environ) if path))


def _files(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    if config.source.spec.scheme == "config":
        yield config.source.spec.path
    reached = config.reached()
    for parser in {id(one.parser): one.parser for one in reached}.values():
        yield parser.filename
        for places in parser.written.values():
            for place in places:
                yield place.file or ""
    yield from config.unopened
    yield from overlays_in(config.source.overlay_dir)
    for parser, section in reached:
        for option in parser.own_options(section):
            for name in references(parser.raw(section, option)):
                if name.startswith(SECRET):
                    yield os.path.join(config.source.secrets_dir, name[len(SECRET) :])
    for row in options():
        yield environ.get(f"{row.environment}_FILE", "")


def overlays_in(directory: str) -> list[str]:
    """Return the overlays of a directory, as :mod:`pastebox.config.overlay` reads them."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".ini"))
    except OSError:
        return []
    return [os.path.join(directory, name) for name in names]
