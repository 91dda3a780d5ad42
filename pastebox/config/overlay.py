"""What is laid over an INI: a directory of overlays, then single options from outside.

The values of such options are literal: a ``%`` is a percent sign and ``%(here)s`` is six letters
between signs. Whoever sets a variable knows the value, and no escaping rule has to be known.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from pastebox.config.model import Origin
from pastebox.config.parser import DEFAULT, IniParser
from pastebox.config.text import permission_hint, read_text
from pastebox.errors import ConfigError, NoPermissionError, UsageError

PREFIX = "PASTE__"
Row = tuple[str, str, str, str]
_KEY = re.compile(r"[^\s=:#;\[][^=:\r\n]*")
_FROM_ENVIRONMENT = f"environment {PREFIX}"


def collect_overrides(
    environ: Mapping[str, str],
    lines: str | None = None,
    arguments: Iterable[Sequence[str]] = (),
) -> tuple[Row, ...]:
    """Return the rows of ``AppSource.overrides`` in their order: the last one wins.

    Args:
        environ: its ``PASTE__SECTION__KEY`` variables; they are matched when the INI is read.
        lines: ``PASTEBOX_SET``, lines of ``section|key=value``; blank ones and ``#`` are skipped.
        arguments: the ``--set SECTION KEY=VALUE`` pairs.

    Raises:
        ConfigError: a variable or a line is not in its form.
        UsageError: an argument is not in its form.
    """
    rows = [
        _environment_row(name, environ[name]) for name in sorted(environ) if name.startswith(PREFIX)
    ]
    for number, line in enumerate((lines or "").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            rows.append(_line_row(line.strip(), number))
    rows.extend(_argument_row(pair) for pair in arguments)
    return tuple(rows)


def lay_overlays(parser: IniParser, directory: str) -> tuple[str, ...]:
    """Read ``*.ini`` of a directory over the parser, in sorted order; return the files.

    ``here`` stays the main file's directory. A directory that is not there has no overlays.

    Raises:
        ConfigError: one of them is wrong.
        NoPermissionError: the directory or a file may not be read.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".ini"))
    except FileNotFoundError:
        return ()
    except NotADirectoryError as error:
        raise ConfigError(file=directory, found="a file", expected="a directory") from error
    except PermissionError as error:
        raise NoPermissionError(
            "may not be read", file=directory, hint=permission_hint(directory)
        ) from error
    paths = tuple(os.path.join(directory, name) for name in names)
    for path in paths:
        parser.feed(read_text(path), path)
    return paths


def apply_overrides(parser: IniParser, rows: Iterable[Row]) -> None:
    """Set the options of the rows.

    Raises:
        ConfigError: a ``PASTE__`` variable fits no section, or several sections or options.
    """
    for section, key, value, origin in rows:
        target, option = section, key
        if origin.startswith(_FROM_ENVIRONMENT):
            target = _matching_section(parser, section, origin)
            option = _matching_option(parser, target, key, origin)
        parser.put(target, option, value, Origin(origin))


def _environment_row(name: str, value: str) -> Row:
    section, separator, key = name.removeprefix(PREFIX).partition("__")
    if not section or not separator or not key:
        raise ConfigError(
            option=name,
            message="does not name an option",
            expected=f"{PREFIX}SECTION__KEY, such as {PREFIX}APP_MAIN__SQLALCHEMY__URL",
        )
    return section, key, value, f"environment {name}"


def _line_row(line: str, number: int) -> Row:
    section, bar, rest = line.partition("|")
    key, equals, value = rest.partition("=")
    if not bar or not equals or not _is_sound(section.strip(), key.strip()):
        raise ConfigError(
            option="PASTEBOX_SET",
            message=f"line {number} is not an override",
            found=f'"{(section + bar + key)[:60]}"',
            expected="section|key=value, such as app:main|debug=true",
        )
    return section.strip(), key.strip(), value.strip(), f"PASTEBOX_SET line {number}"


def _argument_row(pair: Sequence[str]) -> Row:
    section, assignment = pair
    key, equals, value = assignment.partition("=")
    if not equals or not _is_sound(section.strip(), key.strip()):
        raise UsageError(
            option="--set",
            found=f'"{section}" "{key[:60]}"',
            expected="a section and key=value, such as --set app:main debug=true",
        )
    return section.strip(), key.strip(), value, f"argument --set {section.strip()} {key.strip()}"


def _is_sound(section: str, key: str) -> bool:
    return bool(section) and not re.search(r"[\]\r\n]", section) and bool(_KEY.fullmatch(key))


def _matching_section(parser: IniParser, spelled: str, origin: str) -> str:
    names = [DEFAULT, *parser.sections()]
    found = [name for name in names if _flat(name) == _flat(spelled)]
    if len(found) == 1:
        return found[0]
    variable = origin.removeprefix("environment ")
    if found:
        raise ConfigError(
            option=variable,
            message="fits several sections: " + ", ".join(f"[{name}]" for name in found),
            hint="name the section exactly: --set SECTION KEY=VALUE, or PASTEBOX_SET",
        )
    raise ConfigError(
        option=variable,
        found=f'the section "{spelled}"',
        expected="one of " + ", ".join(f"{_flat(name)} for [{name}]" for name in names),
        hint="--set and PASTEBOX_SET can make a section that is not there",
    )


def _matching_option(parser: IniParser, section: str, spelled: str, origin: str) -> str:
    dotted = spelled.replace("__", ".").lower()
    names = parser.own_options(section)
    exact = [name for name in names if name.lower() == dotted]
    found = exact or [name for name in names if _flat(name) == _flat(spelled.replace("__", "_"))]
    if len(found) > 1:
        raise ConfigError(
            option=origin.removeprefix("environment "),
            section=section,
            message="fits several options: " + ", ".join(found),
            hint="name the option exactly: --set SECTION KEY=VALUE, or PASTEBOX_SET",
        )
    return found[0] if found else dotted


def _flat(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
