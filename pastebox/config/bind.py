"""Lay the ``host`` and ``port`` settings over a server's own address options."""

from __future__ import annotations

import re

from pastebox.config.aliases import family
from pastebox.config.model import Origin
from pastebox.errors import ConfigError
from pastebox.settings import Settings

UNIX = "unix:"
_SOCKETS = ("unix_socket", "socket")
_SOCKET_OF = {
    "waitress": ("unix_socket", ""),
    "gunicorn": ("bind", UNIX),
    "granian": ("uds", ""),
    "flup_fcgi": ("socket", ""),
    "flup_scgi": ("socket", ""),
}
"""The option of a server that names a socket, and what stands before the path."""
_PLACES = (
    *_SOCKETS,
    "uds",
    "umask",
    "uds_permissions",
    "unix_socket_perms",
    "host",
    "port",
    "listen",
    "bind",
)
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<four>[^:]*))(?::(?P<port>[^:]*))?")


def place_bind(
    options: dict[str, str],
    origins: dict[str, Origin],
    notes: list[str],
    settings: Settings,
    runner: str,
) -> None:
    """Let the settings replace a TCP address; a unix socket stays, with a note.

    ``listen`` and ``bind`` become one address; otherwise ``host`` and ``port`` are set. A host
    that is ``unix:/path`` replaces every address.

    Raises:
        ConfigError: this server has no option for a socket.
    """
    if settings.host is None and settings.port is None:
        return
    if settings.host is not None and settings.host.startswith(UNIX):
        _place_socket(options, origins, settings, runner)
        return
    socket = next((name for name in _SOCKETS if options.get(name)), None)
    if options.get("bind", "").startswith(("unix:", "fd:", "fd@")):
        socket = "bind"
    if socket:
        notes.append(f"host and port are not used, the server has {socket}")
        return
    combined = next((name for name in ("listen", "bind") if options.get(name)), None)
    if combined:
        first = re.split(r"[\s,]+", options[combined].strip())[0]
        host, port = split_address(first)
        host = host if settings.host is None else settings.host
        port = port if settings.port is None else str(settings.port)
        options[combined] = f"{_bracketed(host)}:{port}" if port else _bracketed(host)
        origins[combined] = _both(settings)
        return
    if settings.host is not None:
        options["host"] = settings.host
        origins["host"] = Origin(settings.origin("host"))
    if settings.port is not None:
        options["port"] = str(settings.port)
        origins["port"] = Origin(settings.origin("port"))
        _port_out_of_host(options)


def _place_socket(
    options: dict[str, str], origins: dict[str, Origin], settings: Settings, runner: str
) -> None:
    path = str(settings.host).removeprefix(UNIX)
    if family(runner) not in _SOCKET_OF or not path.startswith("/"):
        raise ConfigError(
            option="host",
            found=f'"{settings.host}" from {settings.origin("host")}',
            expected=f"an address, as {runner} has no Unix socket"
            if path.startswith("/")
            else "an absolute path after unix:",
        )
    for name in _PLACES:
        options.pop(name, None)
        origins.pop(name, None)
    option, before = _SOCKET_OF[family(runner)]
    options[option] = f"{before}{path}"
    origins[option] = Origin(settings.origin("host"))


def survivors(
    options: dict[str, str], origins: dict[str, Origin], notes: list[str], old: str, new: str
) -> dict[str, str]:
    """Return the options that mean the same to another server: ``host`` and ``port``.

    The rest is named in a note: each server has its own words, and a wrong one is an error.
    """
    kept: dict[str, str] = {name: options[name] for name in ("host", "port") if name in options}
    if not kept:
        for name in ("listen", "bind"):
            first = re.split(r"[\s,]+", options.get(name, "").strip())[0]
            if first and not first.startswith(("unix:", "fd:", "fd@")):
                host, port = split_address(first)
                kept = {k: v for k, v in (("host", host), ("port", port)) if v and v != "*"}
                origins.update(dict.fromkeys(kept, origins[name]))
                break
    dropped = sorted(set(options) - set(kept))
    for name in dropped:
        origins.pop(name, None)
    if dropped:
        notes.append(f"options of {family(old)} are left out, {new} serves: {', '.join(dropped)}")
    return kept


def split_address(text: str) -> tuple[str, str]:
    """Split ``host:port``, ``[::1]:port``, ``:port`` or ``host``; what is not there is empty."""
    match = _ADDRESS.fullmatch(text)
    if not match:
        return text, ""
    return match["six"] or match["four"] or "", match["port"] or ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _both(settings: Settings) -> Origin:
    names = [name for name in ("host", "port") if settings.given(name)]
    return Origin(" and ".join(settings.origin(name) for name in names))


def _port_out_of_host(options: dict[str, str]) -> None:
    """Cut the port from a ``host = 127.0.0.1:8000``, as egg:Paste#http allows it."""
    host = options.get("host", "")
    if host.count(":") == 1 or "]:" in host:
        options["host"] = split_address(host)[0]
