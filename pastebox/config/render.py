"""Show the effective INI, and hide in it what nobody else may see."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pastebox.config.parser import DEFAULT, IniParser, escape
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
            text = _spelled(config, section, option, secrets)
            lines.append(f"{option} = {text}".replace("\n", "\n\t").rstrip())
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def shown_value(config: Config, section: str, option: str, secrets: Iterable[str]) -> str:
    """Return one value as it may be shown: references resolved, what is secret masked.

    A value that cannot be expanded is shown as it was written.
    """
    value = _expanded(config.parser, section, option)
    if value is None:
        value = config.parser.raw(section, option)
    return _masked(config, section, option, value, secrets)


def _spelled(config: Config, section: str, option: str, secrets: Iterable[str]) -> str:
    """Return one value as an INI spells it: escaped, unless it stands there raw."""
    parser = config.parser
    if parser.is_raw(section, option):
        value = str(parser.get(section, option, raw=True))
        return _masked(config, section, option, value, secrets)
    expanded = _expanded(parser, section, option)
    if expanded is None:
        return _masked(config, section, option, parser.raw(section, option), secrets)
    return escape(_masked(config, section, option, expanded, secrets))


def _expanded(parser: IniParser, section: str, option: str) -> str | None:
    """Return the value with a mask for each secret in it, or ``None`` when that fails."""
    parser.variables.masked = True
    try:
        return str(parser.get(section, option))
    except PasteboxError:
        return None
    finally:
        parser.variables.masked = False


def _masked(config: Config, section: str, option: str, value: str, secrets: Iterable[str]) -> str:
    """Mask by the option's name, by the names that it refers to, and by value."""
    raw = config.parser.raw(section, option)
    if _TELLING.search(option) and raw:
        return MASK
    for name in references(raw):
        found = None
        if name.startswith(ENV) and _TELLING.search(name):
            found = config.parser.variables.lookup(name)
        if found:
            value = value.replace(found, MASK)
    return redact(value, secrets)
