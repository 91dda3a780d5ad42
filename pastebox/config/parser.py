"""An INI in PasteDeploy's dialect that remembers where every option was written."""

from __future__ import annotations

import configparser
import io
import os
from collections.abc import Iterator, Mapping
from typing import Any

from pastebox.config.interpolation import Interpolation
from pastebox.config.model import Origin
from pastebox.config.variables import REFERENCE, Variables
from pastebox.errors import ConfigError

DEFAULT = "DEFAULT"
NOWHERE = Origin("nowhere")
_RAW = frozenset({"format", "datefmt", "style", "defaults"})  # logging.config reads them raw


class IniParser(configparser.ConfigParser):
    """ConfigParser with case-sensitive names, origins, and defaults of three kinds.

    The defaults are ``here`` and ``__file__``, the file's own ``[DEFAULT]``, and *brought*
    names: variables from the command line, which interpolation sees, and which ``defaults()``
    and ``options()`` do not show, so that they never hide a section's own option.
    """

    def __init__(self, filename: str, variables: Variables) -> None:
        super().__init__(interpolation=Interpolation(variables))
        self.filename = filename
        self.variables = variables
        self.written: dict[tuple[str, str], list[Origin]] = {}
        self._brought: set[str] = set()
        self._recorder: _Recorder | None = None
        if filename:
            self.set_default("here", os.path.dirname(filename))
            self.set_default("__file__", filename)

    # What PasteDeploy's loader uses

    def defaults(self) -> dict[str, str]:
        """Return ``here``, ``__file__`` and the ``[DEFAULT]`` options, expanded."""
        raw = self._own(DEFAULT)
        # PasteDeploy's rule: a reference that comes out empty stays as it was written.
        return {name: self.get(DEFAULT, name) or raw[name] for name in self.defaults_names()}

    def options(self, section: str) -> list[str]:
        """Return the names in a section and in ``[DEFAULT]``, without those that were brought."""
        own = self._own(section)
        return [name for name in super().options(section) if name in own or not self.brought(name)]

    def get(self, section: str, option: str, **how: Any) -> Any:  # type: ignore[override]  # the keywords are ConfigParser's
        """Return an expanded value; a raw one still has its ``ENV_`` and ``SECRET_`` values.

        Raises:
            ConfigError: the value cannot be expanded.
        """
        value = super().get(section, option, **how)
        if how.get("raw") and option in _RAW and isinstance(value, str) and "%(" in value:
            return REFERENCE.sub(self._raw_value(section, option), value)
        return value

    def optionxform(self, optionstr: str) -> str:
        """Keep the case, and note the line while a file is read."""
        if self._recorder is not None:
            self._recorder.option(optionstr)
        return optionstr

    # What pastebox adds

    def defaults_names(self) -> list[str]:
        """Return the names of the defaults that drop a section's option of the same name."""
        return [name for name in self._own(DEFAULT) if name not in self._brought]

    def feed(self, text: str, path: str) -> None:
        """Read a file's text over what is here: the same option of a section is replaced.

        Raises:
            ConfigError: the syntax is wrong, or an option or section is there twice.
        """
        recorder = _Recorder(text, path, self.SECTCRE)
        self._recorder = recorder
        self.SECTCRE = recorder  # type: ignore[assignment]  # ConfigParser only calls match()
        try:
            self.read_file(recorder, path)
        except configparser.Error as error:
            raise _syntax_error(error, recorder) from error
        finally:
            self._recorder = None
            del self.SECTCRE
        for key, line in recorder.lines.items():
            self.written.setdefault(key, []).append(Origin(path, path, line))

    def put(self, section: str, option: str, value: str, origin: Origin) -> None:
        """Set a literal value; a section that is not there is made."""
        text = value if self.is_raw(section, option) else escape(value)
        if section == DEFAULT:
            self.set_default(option, value)
        else:
            if not self.has_section(section):
                self.add_section(section)
            self._own(section)[option] = text
        self.written.setdefault((section, option), []).append(origin)

    def set_default(self, name: str, value: str) -> None:
        """Set a default to a literal value; it counts as the file's own."""
        self._defaults[name] = escape(value)  # type: ignore[attr-defined]
        self._brought.discard(name)

    def inherit(self, names: Mapping[str, Any]) -> None:
        """Take defaults over from a file that includes this one, as PasteDeploy does."""
        for name, value in names.items():
            if name not in self._defaults:  # type: ignore[attr-defined]
                self._defaults[name] = escape(value) if isinstance(value, str) else value  # type: ignore[attr-defined]

    def bring(self, words: Mapping[str, str]) -> None:
        """Let variables win over the file's defaults, and hide no option that the file has."""
        for name, value in words.items():
            if name not in self._defaults:  # type: ignore[attr-defined]
                self._brought.add(name)
            self._defaults[name] = escape(value)  # type: ignore[attr-defined]
            self.written.setdefault((DEFAULT, name), []).append(Origin(f"argument {name}=…"))

    def brought(self, name: str) -> bool:
        """Tell whether only the command line defines this default."""
        return name in self._brought

    def own_options(self, section: str) -> list[str]:
        """Return the names that the section itself has, as written; for ``DEFAULT`` the file's."""
        own = self._own(section)
        if section != DEFAULT:
            return list(own)
        return [name for name in own if self._is_written(name)]

    def raw(self, section: str, option: str) -> str:
        """Return the text as it was written, escapes and references in place."""
        return str(self._own(section)[option])

    def fallback(self, section: str, name: str) -> str | None:
        """Return the raw text of an option of this name in the section or the defaults."""
        found = self._own(section).get(name)
        return self._own(DEFAULT).get(name) if found is None else found

    def place(self, section: str, option: str) -> Origin:
        """Return where the value in force was written: in the section, or in ``[DEFAULT]``."""
        for key in ((section, option), (DEFAULT, option)):
            if key in self.written:
                return self.written[key][-1]
        return Origin(self.filename, self.filename) if self.filename else NOWHERE

    def error(self, section: str, option: str, message: str = "", **facts: Any) -> ConfigError:
        """Make an error that points at an option."""
        place = self.place(section, option)
        return ConfigError(
            message,
            file=place.file or place.text,
            line=place.line,
            section=section,
            option=option,
            **facts,
        )

    def _own(self, section: str) -> dict[str, str]:
        if section == DEFAULT:
            return self._defaults  # type: ignore[attr-defined,no-any-return]
        try:
            return self._sections[section]  # type: ignore[attr-defined,no-any-return]
        except KeyError:
            raise configparser.NoSectionError(section) from None

    def _is_written(self, default: str) -> bool:
        return (DEFAULT, default) in self.written and default not in self._brought

    def is_raw(self, section: str, option: str) -> bool:
        """Tell whether logging reads this option without expanding it."""
        return option in _RAW and section.startswith("formatter_")

    def _raw_value(self, section: str, option: str) -> Any:
        def value(match: Any) -> str:
            name = match[1]
            found = self.variables.lookup(name) if name else None
            if found is None and name in self._defaults:  # type: ignore[attr-defined]
                found = self.get(DEFAULT, name)
            if name and found is None:
                raise self.error(
                    section,
                    option,
                    f"%({name})s has no value",
                    expected=self.variables.looked_for(name),
                )
            return match[0] if found is None else str(found)

        return value


class _Recorder:
    """The lines of a text, and the names that ConfigParser finds in them.

    ConfigParser asks ``match`` for a section header and calls ``option`` for an option while it
    works on the line that was handed out last.
    """

    def __init__(self, text: str, path: str, header: Any) -> None:
        self.path = path
        self.line = 0
        self.section = ""
        self.lines: dict[tuple[str, str], int] = {}
        self.sections: dict[str, int] = {}
        self._stream = io.StringIO(text, newline=None)
        self._header = header

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self.line += 1
            yield line

    def match(self, text: str) -> Any:
        found = self._header.match(text)
        if found:
            self.section = found["header"]
            self.sections.setdefault(self.section, self.line)
        return found

    def option(self, name: str) -> None:
        self.lines.setdefault((self.section, name), self.line)


def escape(value: str) -> str:
    """Double each percent sign, so that the value stands for itself."""
    return value.replace("%", "%%")


def _syntax_error(error: configparser.Error, recorder: _Recorder) -> ConfigError:
    """Say in which line what is wrong."""
    path = recorder.path
    if isinstance(error, configparser.DuplicateSectionError):
        first = recorder.sections.get(error.section)
        return ConfigError(
            "the section is there twice",
            file=path,
            line=error.lineno,
            section=error.section,
            hint=f"the first one is in line {first}; merge them",
        )
    if isinstance(error, configparser.DuplicateOptionError):
        first = recorder.lines.get((error.section, error.option))
        return ConfigError(
            "the option is there twice",
            file=path,
            line=error.lineno,
            section=error.section,
            option=error.option,
            hint=f"the first one is in line {first}; keep one of them",
        )
    if isinstance(error, configparser.MissingSectionHeaderError):
        return ConfigError(
            file=path,
            line=error.lineno,
            found=f'"{_shown(str(error.line))}"',
            expected="a [section] before the first option",
        )
    line = getattr(error, "lineno", None)
    bad = list(getattr(error, "errors", ())) or [(line, "")]
    return ConfigError(
        file=path,
        line=bad[0][0],
        section=_section_at(recorder, bad[0][0]),
        found="a line that is neither [section], name = value nor an indented continuation",
        expected="name = value",
        hint="also in line " + ", ".join(str(number) for number, _ in bad[1:6])
        if len(bad) > 1
        else None,
    )


def _section_at(recorder: _Recorder, line: int | None) -> str | None:
    before = [name for name, at in recorder.sections.items() if line and at <= line]
    return before[-1] if before else None


def _shown(line: str) -> str:
    """Return the start of a line, so that a long one or a secret after = is not printed."""
    return line.replace(":", "=").partition("=")[0].strip()[:40]
