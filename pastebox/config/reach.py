"""Which sections the chosen application, server and logging can touch: too many, never too few."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from pastebox.config.document import Documents
from pastebox.config.parser import DEFAULT, IniParser
from pastebox.config.sections import (
    APP_PREFIXES,
    FILTER_PREFIXES,
    SERVER_PREFIXES,
    candidates,
    include_path,
)
from pastebox.config.variables import references
from pastebox.errors import PasteboxError

_LOGGING = re.compile(r"(loggers|handlers|formatters)$|(logger|handler|formatter)_")
_WORDS = re.compile(r"[\s,;=]+")
_LOADED = frozenset(
    prefix for family in APP_PREFIXES + FILTER_PREFIXES + SERVER_PREFIXES for prefix in family
)
_BEHIND = APP_PREFIXES + FILTER_PREFIXES


class Reached(NamedTuple):
    """A section of a file."""

    parser: IniParser
    section: str


class Missing(NamedTuple):
    """A reference to an ``ENV_`` or ``SECRET_`` name that has no value."""

    parser: IniParser
    section: str
    option: str
    name: str


def app_closure(documents: Documents, parser: IniParser, name: str) -> list[Reached]:
    """Return what the application ``name`` depends on, ``[DEFAULT]`` sections included."""
    return _closure(documents, parser, candidates(parser.sections(), APP_PREFIXES, name), _BEHIND)


class Unopened(NamedTuple):
    """A file that an option names, or only seems to name, and that could not be opened."""

    option: str
    error: PasteboxError


def everything(
    documents: Documents,
    parser: IniParser,
    name: str,
    unopened: dict[str, Unopened] | None = None,
) -> list[Reached]:
    """Return what serving ``name`` can touch: application, server, logging, ``[pastebox]``.

    What could not be opened is put into ``unopened``, by its path.
    """
    names = parser.sections()
    server = candidates(names, SERVER_PREFIXES, name) or candidates(names, SERVER_PREFIXES, "main")
    start = [
        *candidates(names, APP_PREFIXES, name),
        *server,
        *(section for section in names if _LOGGING.match(section) or section == "pastebox"),
    ]
    return _closure(documents, parser, start, _BEHIND + SERVER_PREFIXES, unopened)


def missing(reached: Iterable[Reached]) -> list[Missing]:
    """Return every reference without a value, in the order of the files."""
    return [
        Missing(parser, section, option, name)
        for parser, section in reached
        for option in parser.own_options(section)
        for name in references(parser.raw(section, option))
        if not _has_value(parser, section, option, name)
    ]


def _has_value(parser: IniParser, section: str, option: str, name: str) -> bool:
    try:
        if parser.variables.lookup(name) is not None:
            return True
    except PasteboxError as error:
        if error.file is None:
            place = parser.place(section, option)
            error.file, error.line = place.file or place.text, place.line
            error.section, error.option = section, option
        raise
    fallback = parser.fallback(section, name)
    return fallback is not None and name not in references(fallback)


def _closure(
    documents: Documents,
    parser: IniParser,
    start: Iterable[str],
    families: tuple[tuple[str, ...], ...],
    unopened: dict[str, Unopened] | None = None,
) -> list[Reached]:
    opened = {parser.filename: parser}
    seen: dict[tuple[str, str], Reached] = {}
    queue = [Reached(parser, DEFAULT), *(Reached(parser, section) for section in start)]
    while queue:
        here = queue.pop(0)
        key = (here.parser.filename, here.section)
        if key in seen:
            continue
        seen[key] = here
        for option, uri_file, name in _mentions(here):
            try:
                target = _open(documents, opened, here.parser, uri_file)
            except PasteboxError as error:
                # the loader says it, with the place, when it is really used
                if unopened is not None and error.file is not None:
                    unopened[error.file] = Unopened(option, error)
                continue
            sections = candidates(target.sections(), families, name)
            queue.extend(Reached(target, section) for section in sections)
            if uri_file is not None:
                queue.append(Reached(target, DEFAULT))
    return list(seen.values())


def _mentions(here: Reached) -> Iterator[tuple[str, str | None, str]]:
    """Yield option, ``config:`` URI or ``None``, and section name that a section's values hold."""
    parser, section = here
    if section != DEFAULT and section.partition(":")[0] not in _LOADED:
        return
    for option in parser.own_options(section):
        value = parser.raw(section, option)
        if "%" in value:
            with suppress(PasteboxError):  # it is reported where it is used
                value = parser.get(section, option)
        for word in _WORDS.split(str(value)):
            scheme = word.partition(":")[0].lower()
            if scheme == "config":
                yield option, word, word.partition("#")[2] or "main"
            elif word:
                yield option, None, word


def _open(
    documents: Documents, opened: dict[str, IniParser], here: IniParser, uri: str | None
) -> IniParser:
    if uri is None:
        return here
    path, _ = include_path(uri, here.filename.rpartition("/")[0])
    if path not in opened:
        opened[path] = documents.included(path, _inherited(here))
    return opened[path]


def _inherited(parser: IniParser) -> dict[str, str] | None:
    """Return what an included file inherits, as far as it is known."""
    try:
        return parser.defaults()
    except PasteboxError:
        return None  # a default without a value; it is reported, and not by us
