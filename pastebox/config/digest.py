"""A fingerprint of an application's configuration, by which first boot sees a change."""

from __future__ import annotations

import os

from pastebox.config.document import Documents
from pastebox.config.parser import IniParser
from pastebox.config.reach import app_closure
from pastebox.config.sha256 import hexdigest
from pastebox.config.variables import ENV, REFERENCE


def digest(documents: Documents, parser: IniParser, name: str) -> str:
    """Return the SHA-256 of the application section and of all that it reaches.

    Values count with their ``ENV_`` names resolved. A ``SECRET_`` name counts as a name, so
    that a rotated password is no new configuration. The order of options and sections counts
    for nothing; neither does the directory of the file, unless a value says ``%(here)s``.
    """
    facts: list[tuple[str, ...]] = [("application", name)]
    for reached in app_closure(documents, parser, name):
        where = os.path.relpath(reached.parser.filename or ".", _directory(parser))
        facts.extend(
            (where, reached.section, option, _settled(reached.parser, reached.section, option))
            for option in reached.parser.own_options(reached.section)
        )
    facts.extend(("word", *pair) for pair in documents.source.variables.items())
    if any("%(here)s" in fact[-1] or "%(__file__)s" in fact[-1] for fact in facts):
        facts.append(("here", parser.filename))
    return hexdigest(repr(sorted(facts)).encode("utf-8", "surrogateescape"))


def _settled(parser: IniParser, section: str, option: str) -> str:
    """Return the raw value with the values of its ``ENV_`` names in place."""

    def value(match: object) -> str:
        name = match[1]  # type: ignore[index]  # a re.Match
        if not name or not name.startswith(ENV):
            return str(match[0])  # type: ignore[index]  # a re.Match
        found = parser.variables.lookup(name)
        if found is None:
            found = parser.fallback(section, name)
        return str(match[0]) if found is None else f"{name}={found}"  # type: ignore[index]

    return REFERENCE.sub(value, parser.raw(section, option))


def _directory(parser: IniParser) -> str:
    return os.path.dirname(parser.filename) or "."
