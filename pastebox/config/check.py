"""Look for what is allowed and probably not meant: options that have no effect, files not there."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pastebox.config.model import Origin, ServerSpec
from pastebox.config.parser import DEFAULT, IniParser
from pastebox.config.read import Config
from pastebox.errors import ConfigError, PasteboxError
from pastebox.settings import nearest, unknown_names

_LOADED = re.compile(r"(app|application|composite|composit|pipeline|filter|filter-app|server):")
_NAMES_A_FILE = re.compile(r"(^|[._-])(file|dir|path|directory|document_root)$")
_MADE_LATER = re.compile(
    r"(^|[._-])(logs?|pid|cache|data|te?mp|lock|sock(et)?|uploads?|sessions?|index)([._-]|$)"
)


class Finding(NamedTuple):
    """A remark: ``warning`` when something is probably wrong, ``note`` when it is worth knowing."""

    level: str
    place: str
    text: str

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{self.level}: {where}{self.text}"


def lint(config: Config, environ: Mapping[str, str]) -> list[Finding]:
    """Return the remarks on an INI, in the order of the file, and on the environment."""
    found: list[Finding] = []
    for parser, section in config.reached():
        for option in parser.own_options(section):
            found.extend(_replaced(parser, section, option))
            found.extend(_missing_file(parser, section, option))
        if _LOADED.match(section):
            found.extend(_dropped(parser, section))
            found.extend(_hidden_from_words(config, parser, section))
    for name, near in unknown_names(environ):
        hint = f", did you mean {near}?" if near else ""
        found.append(Finding("warning", name, f"is not a setting{hint}"))
    return found


def logging_faults(config: Config) -> list[ConfigError]:
    """Return what ``logging.config.fileConfig`` would stumble over without saying where."""
    parser = config.parser
    if not config.has_loggers:
        return []
    faults = []
    for plural, singular in (
        ("loggers", "logger"),
        ("handlers", "handler"),
        ("formatters", "formatter"),
    ):
        if not parser.has_section(plural):
            faults.append(
                ConfigError(
                    f"there is no section [{plural}]",
                    file=parser.filename or None,
                    section="loggers",
                    expected=f"[{plural}] with an option keys",
                )
            )
            continue
        if not parser.has_option(plural, "keys"):
            faults.append(parser.error(plural, "keys", expected="a list of names"))
            continue
        names = [name.strip() for name in str(parser.get(plural, "keys")).split(",")]
        faults.extend(
            parser.error(
                plural,
                "keys",
                found=f'"{name}", and there is no section [{singular}_{name}]',
                expected="names of sections",
            )
            for name in names
            if name and not parser.has_section(f"{singular}_{name}")
        )
    return faults


def server_fault(spec: ServerSpec, known_runners: Sequence[str]) -> PasteboxError | None:
    """Return what is wrong with the choice of the server; nothing is imported for it."""
    if spec.runner in known_runners:
        return None
    from pastebox.config.aliases import split_egg  # noqa: PLC0415  # servers of others are rare
    from pastebox.config.entrypoints import find_distribution  # noqa: PLC0415  # likewise

    place = spec.origins.get("use", Origin("default"))
    groups = ("paste.server_factory", "paste.server_runner")
    egg = split_egg(spec.runner)
    if egg is None and spec.runner.lower().startswith("call:"):
        return None
    if egg is not None:
        try:
            distribution = find_distribution(egg.distribution, groups)
        except ConfigError as error:
            return _at(error, place, spec)
        names = sorted({e.name for e in distribution.entry_points if e.group in groups})
        if egg.name in names:
            return None
        return _at(
            ConfigError(
                found=f'"{spec.use}"',
                expected=f"a server of {egg.distribution}",
                hint=f"it has {', '.join(names) or 'none'}",
            ),
            place,
            spec,
        )
    near = nearest(spec.runner, frozenset(known_runners))
    return _at(
        ConfigError(
            found=f'the server "{spec.runner}"',
            expected="one of " + ", ".join(known_runners),
            hint=f"did you mean {near}?" if near else None,
        ),
        place,
        spec,
    )


def _at(error: ConfigError, place: Origin, spec: ServerSpec) -> ConfigError:
    error.file, error.line = place.file or place.text, place.line
    error.section, error.option = spec.section, "use"
    return error


def _dropped(parser: IniParser, section: str) -> Iterator[Finding]:
    defaults = parser.defaults_names()
    for option in parser.own_options(section):
        if option in defaults:
            default = parser.place(DEFAULT, option)
            line = f" in line {default.line}" if default.line else ""
            yield Finding(
                "warning",
                place_of(parser, section, option),
                f"has no effect, [DEFAULT] has {option} too{line};"
                f" write set {option} = … to change it here",
            )


def _hidden_from_words(config: Config, parser: IniParser, section: str) -> Iterator[Finding]:
    for name in config.source.variables:
        if name in parser.own_options(section) and parser.brought(name):
            yield Finding(
                "warning",
                place_of(parser, section, name),
                f"the variable {name}=… does not change this option; --set {section} {name}=… does",
            )


def _replaced(parser: IniParser, section: str, option: str) -> Iterator[Finding]:
    *before, last = parser.written.get((section, option), [Origin("")])
    for origin in before[-1:]:
        by = f"{last.file}:{last.line}" if last.line else last.text
        where = f"{origin.file}:{origin.line} " if origin.line else ""
        yield Finding("note", f"{where}[{section}] {option}", f"is replaced by {by}")


def _missing_file(parser: IniParser, section: str, option: str) -> Iterator[Finding]:
    try:
        value = str(parser.get(section, option)).strip()
    except PasteboxError:
        return  # it is an error, and reported as one
    raw = parser.raw(section, option)
    names_one = raw.startswith("%(here)s") or _NAMES_A_FILE.search(option)
    if not names_one or _MADE_LATER.search(option) or not _is_plain_path(value):
        return
    if not os.path.exists(value):
        yield Finding("warning", place_of(parser, section, option), f"there is no {value}")


def _is_plain_path(value: str) -> bool:
    return value.startswith("/") and not re.search(r"[\s*?{}$<>|,;%:]", value)


def place_of(parser: IniParser, section: str, option: str) -> str:
    """Spell the place of an option as errors do."""
    return parser.error(section, option).place
