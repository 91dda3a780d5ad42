"""Open an INI as the loader and the rest of pastebox see it: with all that is laid over it."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from pastebox.config.model import AppSource
from pastebox.config.overlay import apply_overrides, lay_overlays
from pastebox.config.parser import IniParser
from pastebox.config.text import read_text
from pastebox.config.variables import Variables
from pastebox.errors import ConfigError


class Documents(NamedTuple):
    """What opens files: the recipe, and the values behind ``ENV_`` and ``SECRET_`` names."""

    source: AppSource
    variables: Variables

    def main(self) -> IniParser:
        """Open the file of the recipe, or an empty one for an ``egg:``.

        Raises:
            ConfigError: it, an overlay or an override is wrong.
            NoPermissionError: it or an overlay may not be read.
        """
        path = self.source.spec.path if self.source.spec.scheme == "config" else ""
        parser = IniParser(path, self.variables)
        if path:
            text = read_text(path)
            parser.feed(text, path)
            if not parser.sections() and not parser.own_options("DEFAULT"):
                raise _empty(path, text)
        lay_overlays(parser, self.source.overlay_dir)
        apply_overrides(parser, self.source.overrides)
        parser.bring(self.source.variables)
        return parser

    def included(self, path: str, global_conf: Mapping[str, Any] | None) -> IniParser:
        """Open a file that another one, or the application, names.

        The file of the recipe keeps its overlays and overrides when it is named again.

        Raises:
            ConfigError: it is wrong.
            NoPermissionError: it may not be read.
        """
        if self.source.spec.scheme == "config" and path == os.path.abspath(self.source.spec.path):
            parser = self.main()
        else:
            parser = IniParser(path, self.variables)
            parser.feed(read_text(path), path)
        given = dict(global_conf or {})
        parser.bring({n: str(given.pop(n, v)) for n, v in self.source.variables.items()})
        parser.inherit(given)
        return parser


def documents(source: AppSource, environ: Mapping[str, str]) -> Documents:
    """Make what opens the files of a recipe."""
    return Documents(source, Variables(environ, source.secrets_dir))


def _empty(path: str, text: str) -> ConfigError:
    return ConfigError(
        file=path,
        found="an empty file" if not text.strip() else "nothing but comments",
        expected="at least a section [app:main]",
        hint="was it written completely? pastebox make-config APP FILE makes one",
    )
