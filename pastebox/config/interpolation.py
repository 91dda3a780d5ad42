"""Replace ``%(name)s`` in a value: ConfigParser's basic rules, with our names and better errors."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping
from typing import Any, Protocol

from pastebox.config.model import Origin
from pastebox.config.variables import ENV, SECRET, Variables
from pastebox.errors import ConfigError, PasteboxError

_KEY = re.compile(r"%\(([^)]+)\)s")
_LONGEST = 1_000_000  # characters read and made; nested references can grow without end
_DEEPEST = configparser.MAX_INTERPOLATION_DEPTH


class Places(Protocol):
    """What knows where an option was written."""

    def place(self, section: str, option: str) -> Origin:
        """Return where the option of this section, or its default, was written."""
        ...


class Interpolation(configparser.Interpolation):
    """Expand a value as BasicInterpolation does, and ``ENV_`` and ``SECRET_`` names as well.

    The value of such a name goes in as it is: a ``%`` in it means nothing. A name without a
    value falls back on an option of that name, so ``[DEFAULT]`` can hold ``ENV_PORT = 8080``.
    """

    def __init__(self, variables: Variables) -> None:
        self.variables = variables

    def before_get(  # type: ignore[override]  # the stubs nest the mapping once too deep
        self,
        parser: configparser.RawConfigParser,
        section: str,
        option: str,
        value: str,
        defaults: Mapping[str, Any],
    ) -> str:
        """Return the expanded value.

        Raises:
            ConfigError: a lone ``%``, a name that nothing defines, a circle.
        """
        if "%" not in value:
            return value
        return _Expansion(self.variables, parser, section, defaults).expand(option, value, 1)  # type: ignore[arg-type]  # IniParser is the only parser that it is given to


class _Expansion:
    """The expansion of one value: what it may use, and how much it may still grow."""

    def __init__(
        self, variables: Variables, places: Places, section: str, names: Mapping[str, str]
    ) -> None:
        self.variables = variables
        self.places = places
        self.section = section
        self.names = names
        self.room = _LONGEST

    def expand(self, option: str, value: str, depth: int) -> str:
        if depth > _DEEPEST:
            raise self.error(
                option,
                found=f"references nested more than {_DEEPEST} deep",
                expected="a value that does not refer to itself",
            )
        pieces = []
        at = 0
        while (percent := value.find("%", at)) >= 0:
            pieces.append(value[at:percent])
            piece, at = self.after_percent(option, value, percent, depth)
            pieces.append(piece)
        pieces.append(value[at:])
        expanded = "".join(pieces)
        self.room -= len(expanded) + len(value)
        if self.room < 0:
            raise self.error(option, found="a value that grows without end when expanded")
        return expanded

    def after_percent(self, option: str, value: str, at: int, depth: int) -> tuple[str, int]:
        """Return what the construct at ``at`` stands for, and where the rest begins."""
        if value.startswith("%%", at):
            return "%", at + 2
        match = _KEY.match(value, at)
        if match:
            return self.reference(option, match[1], depth), match.end()
        raise self.error(
            option,
            message="a % stands alone",
            found=f'"{_excerpt(value, at)}"',
            expected="%% for a percent sign, or %(name)s",
            hint="double the percent sign: %%",
        )

    def reference(self, option: str, name: str, depth: int) -> str:
        if name.startswith((ENV, SECRET)):
            try:
                known = self.variables.lookup(name)
            except PasteboxError as error:
                raise self.located(error, option) from error.__cause__
            if known is not None:
                return known
        if name not in self.names:
            raise self.missing(option, name)
        text = self.names[name]
        return self.expand(name, text, depth + 1) if "%" in text else text

    def missing(self, option: str, name: str) -> ConfigError:
        if name.startswith((ENV, SECRET)):
            return self.error(
                option,
                message=f"%({name})s has no value",
                expected=self.variables.looked_for(name),
            )
        return self.error(
            option,
            found=f"%({name})s, which nothing defines",
            expected=f"an option {name} in [{self.section}] or [DEFAULT], or {name}=… as a word",
            hint=_near(name, self.names),
        )

    def error(
        self,
        option: str,
        *,
        message: str = "",
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> ConfigError:
        place = self.places.place(self.section, option)
        return ConfigError(
            message,
            file=place.file or place.text,
            line=place.line,
            section=self.section,
            option=option,
            found=found,
            expected=expected,
            hint=hint,
        )

    def located(self, error: PasteboxError, option: str) -> PasteboxError:
        """Add the place of the reference to an error that a look-up raised."""
        place = self.places.place(self.section, option)
        if error.file:
            error.message = f"{error.file}: {error.message}"
        error.file, error.line = place.file or place.text, place.line
        error.section, error.option = self.section, option
        return error


def _excerpt(value: str, at: int) -> str:
    """Return the few characters around a fault, so that no password is shown whole."""
    return value[at : at + 4].partition("\n")[0]


def _near(name: str, names: Mapping[str, str]) -> str | None:
    from pastebox.settings import nearest  # noqa: PLC0415  # only mistakes pay for it

    near = nearest(name, names)
    return f"did you mean %({near})s?" if near else None
