"""Which section a name means, and what a section says: PasteDeploy's rules on plain text."""

import os
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from pastebox.config.model import Origin
from pastebox.config.parser import IniParser
from pastebox.errors import ConfigError

APP_PREFIXES: tuple[tuple[str, ...], ...] = (
    ("app", "application"),
    ("composite", "composit"),
    ("pipeline",),
    ("filter-app",),
)
SERVER_PREFIXES: tuple[tuple[str, ...], ...] = (("server",),)
FILTER_PREFIXES: tuple[tuple[str, ...], ...] = (("filter",),)
_SCHEME = re.compile(r"[A-Za-z]+:")


class SectionConf(NamedTuple):
    """What one section gives to the thing that it configures.

    Attributes:
        section: its full name.
        local_conf: its own options, without those that a default of the same name drops.
        global_conf: the defaults, the caller's values, and the section's ``set`` options.
        additions: the ``set`` options alone.
        places: option name to the place it was written; a ``get`` counts as its target.
        dropped: the options that the drop rule left out.
    """

    section: str
    local_conf: dict[str, str]
    global_conf: dict[str, str]
    additions: dict[str, str]
    places: dict[str, Origin]
    dropped: tuple[str, ...]


def is_uri(name: str | None) -> bool:
    """Tell whether a ``use`` names another file or a distribution instead of a section."""
    return name is not None and _SCHEME.match(name) is not None


def candidates(
    names: Iterable[str], prefixes: Sequence[Sequence[str]], name: str | None
) -> list[str]:
    """Return the sections that ``name`` can mean, at most one kind of spelling per family.

    A bare ``[app]`` counts as ``main`` where there is no ``[app:main]``.
    """
    names = list(names)
    wanted = name or "main"
    found: list[str] = []
    for family in prefixes:
        for prefix in family:
            hits = [
                section
                for section in names
                if section.startswith(prefix + ":") and section[len(prefix) + 1 :].strip() == wanted
            ]
            if name is None and prefix in names:
                hits.insert(0, prefix)
            if hits:
                found.extend(hits)
                break
    if not found and wanted == "main":
        found = [prefix for family in prefixes for prefix in family if prefix in names]
    return found


def find_section(parser: IniParser, prefixes: Sequence[Sequence[str]], name: str | None) -> str:
    """Return the one section that ``name`` means.

    Raises:
        ConfigError: there is none, or more than one.
    """
    names = parser.sections()
    found = candidates(names, prefixes, name)
    if len(found) == 1:
        return found[0]
    file = parser.filename or None
    if found:
        raise ConfigError(
            f'the name "{name}" is ambiguous: ' + ", ".join(f"[{section}]" for section in found),
            file=file,
            line=_first_line(parser, found[-1]),
            hint="rename one of the sections",
        )
    wanted = f"[{prefixes[0][0]}:{name or 'main'}]"
    families = tuple(prefix for family in prefixes for prefix in family)
    there = [s for s in names if s.split(":")[0] in families]
    raise ConfigError(
        f"there is no section {wanted}",
        file=file,
        expected=f"{wanted}, or one with the prefix {', '.join(families[1:])}"
        if len(families) > 1
        else None,
        hint=_there(there or names),
    )


def section_conf(
    parser: IniParser,
    section: str,
    global_conf: Mapping[str, str] | None,
    replaced: Container[str] = (),
) -> SectionConf:
    """Read one section: ``set``, ``get``, and the rule that defaults drop options.

    An option in ``replaced`` need not expand, and is left out where it does not: its value
    comes from elsewhere.

    Raises:
        ConfigError: a value cannot be expanded, or ``get`` names an unknown default.
    """
    defaults = parser.defaults()
    merged: dict[str, str] = {**defaults, **(global_conf or {})}
    local: dict[str, str] = {}
    additions: dict[str, str] = {}
    wanted: dict[str, str] = {}
    places: dict[str, Origin] = {}
    dropped = []
    own = frozenset(parser.own_options(section))
    for option in parser.options(section):
        kind, _, rest = option.partition(" ")
        name = rest.strip()
        if kind == "set" and rest:
            additions[name] = merged[name] = parser.get(section, option)
        elif kind == "get" and rest:
            wanted[name] = option
        elif option in defaults:
            if option in own:
                dropped.append(option)
        elif option not in replaced or _expands(parser, section, option):
            local[option] = parser.get(section, option)
            places[option] = parser.place(section, option)
    for name, option in wanted.items():
        source = parser.get(section, option)
        if source not in merged:
            raise parser.error(
                section,
                option,
                found=f'"{source}", which nothing defines',
                expected="the name of a default",
                hint="the defaults are " + ", ".join(sorted(merged)),
            )
        local[name] = merged[source]
        places[name] = parser.place(section, option)
    return SectionConf(section, local, merged, additions, places, tuple(dropped))


def _expands(parser: IniParser, section: str, option: str) -> bool:
    try:
        parser.get(section, option)
    except ConfigError:
        return False
    return True


def include_path(uri: str, relative_to: str | None) -> tuple[str, str | None]:
    """Split ``config:PATH#NAME`` into an absolute path and a name, as PasteDeploy does.

    Raises:
        ConfigError: the path is relative and there is nothing to relate it to.
    """
    path, _, name = uri.partition("#")
    path = path.split(":", 1)[1].replace("\\", "/")
    if not os.path.isabs(path):
        if not relative_to:
            raise ConfigError(found=f'"{uri}"', expected="an absolute path")
        path = f"{relative_to.rstrip('/')}/{path}"
    if path.startswith("///"):
        path = path[2:]
    return os.path.abspath(unquote(path).strip()), name if "#" in uri else None


def _first_line(parser: IniParser, section: str) -> int | None:
    lines = [parser.place(section, option).line for option in parser.own_options(section)]
    return min((line for line in lines if line), default=None)


def _there(names: Sequence[str]) -> str:
    if not names:
        return "the file has no sections"
    return "the file has " + ", ".join(f"[{name}]" for name in names[:12])
