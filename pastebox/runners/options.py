"""The options of a server: read, checked and refused in the same way for every runner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pastebox.config.model import Bind, ServerSpec
from pastebox.errors import ConfigError
from pastebox.settings import nearest

Reader = Callable[[str], object]
Row = tuple[Reader, str]
"""How a value is read (``ValueError`` if it cannot be), and what was expected of it."""


def number(text: str) -> int:
    """Read a whole number that is not negative."""
    if not (text.isascii() and text.strip().isdecimal()):
        raise ValueError
    return int(text)


def count(text: str) -> int:
    """Read a whole number above zero."""
    if number(text) == 0:
        raise ValueError
    return int(text)


def limit(text: str) -> int:
    """Read a whole number above zero, or -1 for no limit."""
    return -1 if text.strip() == "-1" else count(text)


def port(text: str) -> int:
    """Read a TCP port."""
    if number(text) > 65535:  # noqa: PLR2004  # the largest port there is
        raise ValueError
    return int(text)


def flag(text: str) -> bool:
    """Read true or false, in the words that PasteDeploy knows."""
    words = {"t": True, "true": True, "y": True, "yes": True, "on": True, "1": True}
    words |= {"f": False, "false": False, "n": False, "no": False, "off": False, "0": False}
    if text.strip().lower() not in words:
        raise ValueError
    return words[text.strip().lower()]


def octal(text: str) -> int:
    """Read permission bits, which are always octal: ``022`` and ``22`` are the same."""
    mode = int(text, 8)
    if not 0 <= mode <= 0o777:  # noqa: PLR2004  # permission bits
        raise ValueError
    return mode


def seconds(text: str) -> float:
    """Read a time in seconds, above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def words(text: str) -> list[str]:
    """Read words with white space between them."""
    return text.split()


PEER_CHECKED = frozenset(
    f"flup_{protocol}_{kind}" for protocol in ("scgi", "ajp") for kind in ("thread", "fork")
)
"""Servers that take connections of named front ends only."""

NUMBER: Row = (number, "a whole number")
COUNT: Row = (count, "a whole number above 0")
LIMIT: Row = (limit, "a whole number above 0, or -1 for no limit")
PORT: Row = (port, "a number from 0 to 65535")
FLAG: Row = (flag, "true or false")
OCTAL: Row = (octal, "an octal mode such as 660")
SECONDS: Row = (seconds, "a number of seconds above 0")
TEXT: Row = (str, "a text")
WORDS: Row = (words, "words separated by spaces")


def check(
    spec: ServerSpec, table: Mapping[str, Row], refused: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return the options as values of their types.

    Args:
        spec: what the INI says.
        table: the options there are.
        refused: options that a predecessor of the server had, and why they cannot be honoured.

    Raises:
        ConfigError: an option is unknown or refused, or its value is not of its type.
    """
    values: dict[str, object] = {}
    for name, text in spec.options.items():
        if refused is not None and name in refused:
            raise refusal(spec, name, refused[name], hint="remove it")
        if name not in table:
            near = nearest(name, table)
            known = ", ".join(sorted(table)) or "none"
            raise refusal(
                spec,
                name,
                f"{spec.runner} has no such option",
                hint=f"did you mean {near}?" if near else f"its options: {known}",
            )
        read, expected = table[name]
        try:
            values[name] = read(text)
        except ValueError:
            raise refusal(spec, name, found=f'"{text}"', expected=expected) from None
    return values


def refusal(
    spec: ServerSpec,
    option: str,
    message: str = "",
    *,
    found: str | None = None,
    expected: str | None = None,
    hint: str | None = None,
) -> ConfigError:
    """Return the error about one option, with the place where it was written."""
    origin = spec.origins.get(option)
    is_from_outside = origin is not None and not origin.file  # a variable, a flag
    return ConfigError(
        message,
        file=None if is_from_outside else (origin and origin.file) or spec.file,
        line=origin.line if origin else None,
        section=None if is_from_outside else spec.section,
        option=origin.text if origin and is_from_outside else option,
        found=found,
        expected=expected,
        hint=hint,
    )


def tcp(values: Mapping[str, object], host: str, port: int) -> Bind:
    """Return the address that ``host`` and ``port`` say, with a server's own defaults."""
    return Bind("tcp", bare_host(str(values.get("host", host))), int(str(values.get("port", port))))


def bare_host(text: str) -> str:
    """Return a host without the brackets of an IPv6 address; ``*`` is every address."""
    return "" if text == "*" else text.removeprefix("[").removesuffix("]")


def reach_note(spec: ServerSpec, binds: Sequence[Bind]) -> str:
    """Say which default of a server keeps everybody outside of a container from it; else be empty.

    What somebody wrote is meant; a default is pointed out.
    """
    loopback = ("localhost", "127.0.0.1", "::1")
    is_default = not spec.options.keys() & {"host", "bind", "listen"}
    if binds and is_default and all(bind.host in loopback for bind in binds):
        return (
            f"the default host of {spec.runner} is {binds[0].host}, which nothing outside of this"
            " machine or container reaches; set host = 0.0.0.0 in its section, or PASTEBOX_HOST"
        )
    if spec.runner in PEER_CHECKED and "allowedServers" not in spec.options:
        return (
            "only front ends on this machine may connect: allowedServers is 127.0.0.1 by default;"
            " name the others in it, or * for all"
        )
    return ""
