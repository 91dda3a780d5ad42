"""The options of ``egg:gunicorn#main``: gunicorn's own settings, by their names.

gunicorn checks the values itself; what it raises becomes an error with the file and the line.
Settings that would take over what the master does are refused by name.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from typing import Any

from pastebox.config.bind import split_address
from pastebox.config.model import Bind, ServerSpec
from pastebox.runners.gunicorn_arguments import refuse_file
from pastebox.runners.options import refusal
from pastebox.settings import nearest

_SOCKET = "the master binds the sockets and hands them down"
_FOREGROUND = "a container's server stays in the foreground"
_USER = "the container's user serves; pastebox never changes it"
_RELOAD = "HUP to pastebox loads the application anew"
_APPLICATION = "the INI says which application is served"
REFUSED = {
    "daemon": _FOREGROUND,
    "pidfile": _FOREGROUND,
    "enable_stdio_inheritance": _FOREGROUND,
    "user": _USER,
    "group": _USER,
    "initgroups": _USER,
    "reload": _RELOAD,
    "reload_engine": _RELOAD,
    "reload_extra_files": _RELOAD,
    "reuse_port": _SOCKET,
    "config": "settings are written in this section, no other file is read",
    "wsgi_app": _APPLICATION,
    "paste": _APPLICATION,
    "raw_paste_global_conf": _APPLICATION,
    "check_config": "pastebox check does it",
    "print_config": "pastebox config does it",
    "spew": "it traces every line, which no server survives",
    "dirty_apps": "its processes would live outside the drain",
    "dirty_workers": "its processes would live outside the drain",
}
"""Settings that conflict with the master, and why."""

OWN = frozenset({"host", "port"})
"""Options that are not gunicorn's settings but its Paste server's."""

_FAILURES = (ValueError, TypeError, RuntimeError, OSError)


def new_config() -> Any:
    """Return gunicorn's settings with their defaults; gunicorn is imported by it.

    It reads ``WEB_CONCURRENCY`` while it is imported and knows no ``auto``.
    """
    word = os.environ.pop("WEB_CONCURRENCY", None)
    try:
        from gunicorn.config import Config  # noqa: PLC0415  # only for this server
    finally:
        if word is not None:
            os.environ["WEB_CONCURRENCY"] = word
    return Config(prog="gunicorn")


def check_options(spec: ServerSpec) -> Any:
    """Return gunicorn's settings with the options in them, but without the hooks.

    A hook names a function of the application, which is imported in the worker only.

    Raises:
        ConfigError: an unknown or a refused option, a bad value, a TLS key that does not fit.
    """
    config = new_config()
    refuse_file(spec)
    for name, text in spec.options.items():
        if name in OWN or (name == "config" and not text.strip()):
            continue
        _check_name(spec, name, config.settings)
        if name == "workers" and text.strip() == "auto":
            continue
        if is_hook(config, name):
            if not re.fullmatch(r"[\w.]+\.\w+", text.strip()):
                raise refusal(spec, name, found=f'"{text}"', expected="module.function")
        else:
            set_option(spec, config, name, text)
    _check_protocol(spec, config)
    _check_tls(spec, config)
    return config


def set_option(spec: ServerSpec, config: Any, name: str, text: str) -> None:
    """Have gunicorn read one value.

    Raises:
        ConfigError: gunicorn refuses it.
    """
    from gunicorn.errors import ConfigError as Refused  # noqa: PLC0415  # only for this server

    value: object = text
    if isinstance(config.settings[name].default, list):
        value = [line.strip() for line in text.splitlines() if line.strip()]
    try:
        config.set(name, value)
    except (*_FAILURES, Refused) as error:
        reason = " ".join(str(error).split())
        raise refusal(spec, name, f"gunicorn refuses it: {reason}", found=f'"{text}"') from error


def is_hook(config: Any, name: str) -> bool:
    """Whether a setting is a function."""
    return callable(config.settings[name].default)


def _check_name(spec: ServerSpec, name: str, known: Mapping[str, object]) -> None:
    if name in REFUSED:
        raise refusal(spec, name, "cannot be used here", hint=REFUSED[name])
    if name not in known:
        near = nearest(name, {*known, *OWN} - set(REFUSED))
        raise refusal(
            spec,
            name,
            "gunicorn has no such setting",
            hint=f"did you mean {near}?" if near else "see the settings of gunicorn",
        )


def _check_protocol(spec: ServerSpec, config: Any) -> None:
    if config.settings["protocol"].get() != "http":
        found = spec.options["protocol"]
        raise refusal(spec, "protocol", found=f'"{found}"', expected="http")
    if spec.options.get("worker_class", "").strip() == "asgi":
        hint = "PasteDeploy's applications are WSGI: sync, gthread or gevent"
        raise refusal(spec, "worker_class", "serves ASGI applications only", hint=hint)


def _check_tls(spec: ServerSpec, config: Any) -> None:
    certificate, key = config.certfile, config.keyfile
    if not (certificate or key):
        return
    option = "keyfile" if key else "certfile"
    if not certificate:
        raise refusal(spec, "keyfile", "is of no use without a certfile")
    for name, path in (("certfile", certificate), ("keyfile", key)):
        if path and not os.access(path, os.R_OK):
            raise refusal(spec, name, f"{path} cannot be read", hint="check the mount and its mode")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise refusal(spec, option, f"certificate and key do not fit: {error}") from error


def binds(spec: ServerSpec, config: Any) -> tuple[Bind, ...]:
    """Return the addresses of checked options; gunicorn's default is 127.0.0.1:8000."""
    text = spec.options.get("bind", "")
    if text:
        for name in ("host", "port"):
            if name in spec.options:
                raise refusal(spec, name, "cannot stand beside bind", hint=f"remove {name}")
        words = re.split(r"[\s,]+", text.strip())
        mode = 0o777 & ~int(config.umask)
        return tuple(_bind_word(spec, word, mode) for word in words if word)
    host, port = split_address(spec.options.get("host", "").strip())
    port = spec.options.get("port", "").strip() or port or "8000"
    return (Bind("tcp", host=_host(host), port=_port(spec, "port", port)),)


def _bind_word(spec: ServerSpec, word: str, mode: int) -> Bind:
    if word.startswith("unix:"):
        path = word.removeprefix("unix:")
        return Bind("unix", path="/" + path.lstrip("/") if path[:2] == "//" else path, mode=mode)
    if word.startswith("fd://"):
        return Bind("fd", port=_port(spec, "bind", word.removeprefix("fd://")))
    word = word.removeprefix("tcp://")
    host, port = split_address(word)
    return Bind("tcp", host=_host(host), port=_port(spec, "bind", port or "8000"))


def _host(text: str) -> str:
    return "" if text == "*" else text or "127.0.0.1"


def _port(spec: ServerSpec, option: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:  # noqa: PLR2004  # the largest port there is
        expected = (
            "a number from 0 to 65535" if option == "port" else "host:port, unix:path, fd://n"
        )
        raise refusal(spec, option, found=f'"{spec.options[option]}"', expected=expected)
    return int(text)
