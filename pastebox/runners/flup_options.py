"""The options of flup's six servers, by the names and with the defaults that they have there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from pastebox.config.model import Bind, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners.options import (
    COUNT,
    FLAG,
    NUMBER,
    OCTAL,
    PORT,
    TEXT,
    Row,
    check,
    refusal,
    tcp,
)


def _no(text: str) -> bool:
    if FLAG[0](text):
        raise ValueError
    return False


def _script_name(text: str) -> str:
    path = text.strip().strip("/")
    return f"/{path}" if path else ""


def _peers(text: str) -> list[str]:
    from pastebox.gateway.peers import peer_check  # noqa: PLC0415  # imports ipaddress

    words = text.replace(",", " ").split()
    peer_check(words)
    return words


_DEBUG: Row = (_no, "false: tracebacks are written to the log, never shown to clients")
_ADDRESS = {"host": TEXT, "port": PORT}
_SOCKET: dict[str, Row] = {"socket": TEXT, "umask": OCTAL}
_MOUNT: dict[str, Row] = {
    "scriptName": (_script_name, "a path"),
    "allowedServers": (_peers, "addresses or networks, separated by spaces"),
}
_THREAD: dict[str, Row] = {"minSpare": NUMBER, "maxSpare": NUMBER, "maxThreads": COUNT}
_FORK: dict[str, Row] = {
    "minSpare": NUMBER,
    "maxSpare": NUMBER,
    "maxChildren": COUNT,
    "maxRequests": NUMBER,
}
_PROTOCOL: dict[str, dict[str, Row]] = {
    "scgi": {**_ADDRESS, **_SOCKET, **_MOUNT},
    "fcgi": {**_ADDRESS, **_SOCKET, "multiplexed": FLAG},
    "ajp": {**_ADDRESS, **_MOUNT, "secret": TEXT},
}
_PORTS = {"scgi": 4000, "ajp": 8009}
_WEB_SERVERS = "FCGI_WEB_SERVER_ADDRS"
ANY_NUMBER = 1000
"""What stands for "unlimited"."""


class Values(NamedTuple):
    """The options of a server as values.

    Attributes:
        script_name: where the application is mounted; ``None`` leaves it to the front end.
        allowed: peers that may connect; ``None`` for everybody.
        secret: what each AJP request must bring.
        is_multiplexed: whether one connection may have several requests open.
        min_spare: idle threads or children that are there.
        max_spare: idle threads or children that are kept.
        most: the most threads or children.
        max_requests: requests after which a child is replaced; 0 for never.
    """

    script_name: str | None
    allowed: tuple[str, ...] | None
    secret: str
    is_multiplexed: bool
    min_spare: int
    max_spare: int
    most: int
    max_requests: int


def table(protocol: str, *, is_fork: bool) -> dict[str, Row]:
    """Return the options of one server."""
    return {**_PROTOCOL[protocol], **(_FORK if is_fork else _THREAD), "debug": _DEBUG}


def check_options(spec: ServerSpec, protocol: str, *, is_fork: bool) -> dict[str, object]:
    """Return the options as values of their types.

    Raises:
        ConfigError: an option is unknown, of the wrong type, or stands beside one it excludes.
    """
    values = check(spec, table(protocol, is_fork=is_fork))
    for name in ("host", "port"):
        if "socket" in values and name in values:
            raise refusal(spec, name, "cannot stand beside socket", hint=f"remove {name}")
    if "umask" in values and "socket" not in values:
        raise refusal(spec, "umask", "has no meaning without socket", hint="remove umask")
    if protocol == "fcgi":
        for name, other in (("host", "port"), ("port", "host")):
            if name in values and other not in values:
                hint = f"add {other}, or set PASTEBOX_{other.upper()}"
                raise refusal(spec, name, f"needs {other} beside it", hint=hint)
    most = values.get("maxChildren", values.get("maxThreads"))
    if most is not None and int(str(most)) < int(str(values.get("minSpare", 1))):
        name = "maxChildren" if is_fork else "maxThreads"
        raise refusal(spec, name, found=f'"{most}"', expected="at least minSpare")
    return values


def binds(protocol: str, values: Mapping[str, object]) -> tuple[Bind, ...]:
    """Return the address of checked options; FastCGI without one has its socket on descriptor 0."""
    if "socket" in values:
        return (Bind("unix", path=str(values["socket"]), mode=_mode(values)),)
    if protocol != "fcgi":
        return (tcp(values, "localhost", _PORTS[protocol]),)
    if "host" in values:
        return (tcp(values, "localhost", 9000),)
    return (Bind("fd", port=0),)


def _mode(values: Mapping[str, object]) -> int:
    if "umask" in values:
        return 0o777 & ~int(str(values["umask"]))
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o777 & ~mask


def _web_servers(text: str) -> tuple[str, ...] | None:
    """Return the peers that the FastCGI specification has in a variable [3.2]; ``None`` for all."""
    try:
        return tuple(_peers(text)) or None
    except ValueError as error:
        raise ConfigError(
            option=_WEB_SERVERS,
            found=f'"{text}"',
            expected="addresses, separated by commas",
        ) from error


def evaluate(values: Mapping[str, object], protocol: str, environ: Mapping[str, str]) -> Values:
    """Return everything but the address, with flup's defaults.

    Raises:
        ConfigError: the variable of the web servers' addresses holds something else.
    """
    allowed: tuple[str, ...] | None = None
    if protocol == "fcgi":
        allowed = _web_servers(environ.get(_WEB_SERVERS, ""))
    else:
        given = values.get("allowedServers", ["127.0.0.1"])
        allowed = tuple(str(word) for word in given) if isinstance(given, list) else None
    most = values.get("maxChildren", 50 if "maxRequests" in values else None)
    return Values(
        script_name=None if protocol == "fcgi" else str(values.get("scriptName", "")),
        allowed=allowed,
        secret=str(values.get("secret", "")),
        is_multiplexed=bool(values.get("multiplexed", False)),
        min_spare=int(str(values.get("minSpare", 1))),
        max_spare=int(str(values.get("maxSpare", 5))),
        most=int(str(values.get("maxThreads", most or ANY_NUMBER))),
        max_requests=int(str(values.get("maxRequests", 0))),
    )
