"""The patterns of ``[pastebox] watch``: where they begin, and what they match."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from pastebox.errors import ConfigError
from pastebox.option import Given

_MAGIC = re.compile(r"[*?\[]")
_TOO_WIDE = frozenset({"/", "/etc", "/usr", "/proc", "/sys", "/dev", "/var", "/home", "/root"})


class Pattern(NamedTuple):
    """One pattern.

    Attributes:
        text: as it was written.
        base: the deepest directory that everything it matches is below.
        regex: what the absolute path must match.
        is_deep: whether directories below ``base`` are looked into.
    """

    text: str
    base: str
    regex: re.Pattern[str]
    is_deep: bool


def patterns(words: tuple[str, ...], directory: str, given: Given | None) -> tuple[Pattern, ...]:
    """Return the patterns; relative ones begin at ``directory``, which is the INI's.

    A directory stands for all that is below it.

    Raises:
        ConfigError: one begins at the root or at a directory of the system.
    """
    return tuple(_pattern(word, directory, given) for word in words)


def _pattern(word: str, directory: str, given: Given | None) -> Pattern:
    path = os.path.normpath(os.path.join(directory, os.path.expanduser(word)))
    if not _MAGIC.search(path) and (word.endswith("/") or os.path.isdir(path)):
        path = os.path.join(path, "**")
    parts = path.split("/")
    fixed = next((n for n, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    base = "/".join(parts[:fixed]) or "/"
    if base in _TOO_WIDE:
        raise ConfigError(
            f"the pattern {word} begins at {base}, which is not watched",
            file=given.file if given else None,
            line=given.line if given else None,
            option="watch" if given and given.line else "PASTEBOX_WATCH",
            expected="patterns that begin at a directory of the application",
            hint="relative patterns begin at the directory of the INI",
        )
    is_deep = "**" in path or fixed < len(parts) - 1
    return Pattern(word, base, re.compile(_translate(path)), is_deep)


def _translate(path: str) -> str:
    """Return the regular expression of an absolute pattern, as gitignore reads ``**``."""
    out = []
    for part in path.split("/")[1:]:
        if part == "**":
            out.append("(?:/[^/]+)*")
            continue
        text = re.sub(
            r"\*+|\?|\[!?[^\]]+\]|.",
            lambda found: _piece(found[0]),
            part,
            flags=re.DOTALL,
        )
        out.append(f"/{text}")
    return "".join(out)


def _piece(text: str) -> str:
    if text.startswith("*"):
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if len(text) > 1:
        body = text[1:-1].replace("\\", r"\\")
        return f"[^{body[1:]}]" if body.startswith("!") else f"[{body}]"
    return re.escape(text)
