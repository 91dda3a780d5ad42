"""Show the effective INI, and hide in it what nobody else may see."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pastebox.config.parser import DEFAULT, IniParser
from pastebox.config.read import Config
from pastebox.config.variables import ENV, MASK, references
from pastebox.errors import PasteboxError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*):(?:(?!://)\S)*@")
_TELLING = re.compile(
    r"pass(w(or)?d|phrase)?$|secret|token|api_?key|private_?key|credential", re.IGNORECASE
)
_SHORTEST = 4  # characters; a shorter secret is masked where it is referred to, not everywhere


def secret_values(config: Config) -> frozenset[str]:
    """Return the values of the secrets that the INI and its includes refer to."""
    names: set[str] = set()
    parsers: dict[str, IniParser] = {config.parser.filename: config.parser}
    parsers.update((reached.parser.filename, reached.parser) for reached in config.reached())
    for parser in parsers.values():
        for section in (DEFAULT, *parser.sections()):
            for option in parser.own_options(section):
                names.update(references(parser.raw(section, option)))
    found: set[str] = set()
    for name in names:
        try:
            found |= config.parser.variables.secret_values(frozenset({name}))
        except PasteboxError:  # it is reported where it is used
            continue
    return frozenset(found)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Mask the secrets in a text, and the passwords of the URLs in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, MASK)
        elif text.strip() == secret:
            text = MASK
    return _URL.sub(rf"\1:{MASK}@", text)


def render(config: Config, *, origins: bool = False, sections: Iterable[str] | None = None) -> str:
    """Return the effective INI as text that a parser reads.

    Args:
        config: what to show.
        origins: add a comment with its place above each option.
        sections: only these.
    """
    secrets = secret_values(config)
    wanted = None if sections is None else set(sections)
    blocks = []
    for section in (DEFAULT, *config.sections()):
        options = config.parser.own_options(section)
        if (wanted is not None and section not in wanted) or (section == DEFAULT and not options):
            continue
        lines = [f"[{section}]"]
        for option in options:
            if origins:
                place = config.origin(section, option)
                lines.append(f"# {place.file}:{place.line}" if place.line else f"# {place.text}")
            value = shown_value(config, section, option, secrets)
            lines.append(_assignment(option, value))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def shown_value(config: Config, section: str, option: str, secrets: Iterable[str]) -> str:
    """Return one value as it may be shown: references resolved, what is secret masked.

    A value that cannot be expanded is shown as it was written.
    """
    parser = config.parser
    if _TELLING.search(option) and parser.raw(section, option):
        return MASK
    variables = parser.variables
    variables.masked = True
    try:
        value = str(parser.get(section, option))
    except PasteboxError:
        value = parser.raw(section, option)
    finally:
        variables.masked = False
    for name in references(parser.raw(section, option)):
        found = variables.lookup(name) if name.startswith(ENV) and _TELLING.search(name) else None
        if found:
            value = value.replace(found, MASK)
    return redact(value, secrets)


def _assignment(option: str, value: str) -> str:
    text = value.replace("%", "%%")
    return f"{option} = {text}".replace("\n", "\n\t").rstrip()
