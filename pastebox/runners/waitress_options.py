"""The options of ``[server:main] use = egg:waitress#main``, checked before waitress sees them.

Names and meanings are waitress's own (its ``Adjustments``). Types are checked strictly here:
waitress takes any unknown word for false, and an unknown name for a late ``ValueError``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from pastebox.config.model import Bind, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners.connections import connection_limit
from pastebox.runners.options import flag, number, octal, refusal
from pastebox.runners.options import port as port_number
from pastebox.settings import nearest

BINDING = frozenset({"host", "port", "listen", "unix_socket", "unix_socket_perms", "ipv4", "ipv6"})
"""Options that say where to listen; the master binds, so waitress never sees them."""


def _words(text: str) -> list[str]:
    return text.split()


def _path(text: str) -> str:
    return "/" + text.strip().strip("/") if text.strip().strip("/") else ""


def _scheme(text: str) -> str:
    if text not in ("http", "https"):
        raise ValueError
    return text


_NUMBER = (number, "a whole number")
_FLAG = (flag, "true or false")
_TEXT = (str, "a text")
_WORDS = (_words, "words separated by spaces")

OPTIONS: dict[str, tuple[Callable[[str], object], str]] = {
    "host": _TEXT,
    "port": (port_number, "a number from 0 to 65535"),
    "listen": _WORDS,
    "ipv4": _FLAG,
    "ipv6": _FLAG,
    "unix_socket": _TEXT,
    "unix_socket_perms": (octal, "an octal mode such as 660"),
    "threads": _NUMBER,
    "trusted_proxy": _TEXT,
    "trusted_proxy_count": _NUMBER,
    "trusted_proxy_headers": _WORDS,
    "log_untrusted_proxy_headers": _FLAG,
    "clear_untrusted_proxy_headers": _FLAG,
    "url_scheme": (_scheme, "http or https"),
    "url_prefix": (_path, "a path"),
    "backlog": _NUMBER,
    "recv_bytes": _NUMBER,
    "send_bytes": _NUMBER,
    "outbuf_overflow": _NUMBER,
    "outbuf_high_watermark": _NUMBER,
    "inbuf_overflow": _NUMBER,
    "connection_limit": _NUMBER,
    "cleanup_interval": _NUMBER,
    "channel_timeout": _NUMBER,
    "log_socket_errors": _FLAG,
    "max_request_header_size": _NUMBER,
    "max_request_body_size": _NUMBER,
    "expose_tracebacks": _FLAG,
    "ident": _TEXT,
    "asyncore_loop_timeout": _NUMBER,
    "asyncore_use_poll": _FLAG,
    "channel_request_lookahead": _NUMBER,
    "server_name": _TEXT,
}
"""Option name to its reader and what it expects; a test compares the names with waitress's."""


def check_options(spec: ServerSpec) -> dict[str, object]:
    """Return the options as values of their types.

    Raises:
        ConfigError: an unknown option, a bad value, or two options that exclude each other.
    """
    values: dict[str, object] = {}
    for name, text in spec.options.items():
        if name not in OPTIONS:
            near = nearest(name, OPTIONS)
            raise refusal(
                spec,
                name,
                "waitress has no such option",
                hint=f"did you mean {near}?" if near else "see the options of waitress",
            )
        read, expected = OPTIONS[name]
        try:
            values[name] = read(text)
        except ValueError:
            raise refusal(spec, name, found=f'"{text}"', expected=expected) from None
    if values.get("threads", 1) == 0:
        raise refusal(spec, "threads", found='"0"', expected="at least one thread")
    for first, second in (("listen", "host"), ("listen", "port"), ("unix_socket", "host")):
        if first in values and second in values:
            raise refusal(spec, second, f"cannot stand beside {first}", hint=f"remove {second}")
    for first, second in (("unix_socket", "listen"), ("unix_socket", "port")):
        if first in values and second in values:
            raise refusal(spec, second, f"cannot stand beside {first}", hint=f"remove {second}")
    return values


def binds(spec: ServerSpec, values: Mapping[str, object]) -> tuple[Bind, ...]:
    """Return the addresses of checked options; waitress's defaults are 0.0.0.0 and 8080."""
    if "unix_socket" in values:
        mode = values.get("unix_socket_perms", 0o600)
        return (Bind("unix", path=str(values["unix_socket"]), mode=int(str(mode))),)
    if "listen" in values:
        words = spec.options["listen"].split()
        if not words:
            raise refusal(spec, "listen", found="nothing", expected="host:port words")
        return tuple(_listen_word(spec, word) for word in words)
    port = values.get("port", 8080)
    return (Bind("tcp", host=_host(str(values.get("host", "0.0.0.0"))), port=int(str(port))),)  # noqa: S104  # waitress's own default


def _listen_word(spec: ServerSpec, word: str) -> Bind:
    host, colon, port = word.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = word, "8080"
    try:
        return Bind("tcp", host=_host(host), port=port_number(port))
    except ValueError:
        raise refusal(
            spec, "listen", found=f'"{word}"', expected="host:port, such as 0.0.0.0:8080"
        ) from None


def _host(text: str) -> str:
    return "" if text == "*" else text.removeprefix("[").removesuffix("]")


def adjustments(spec: ServerSpec, values: Mapping[str, object]) -> Any:
    """Make waitress's own ``Adjustments``, in the worker, with defaults fit for a container.

    ``connection_limit`` defaults to what the descriptor limit allows, up to 10 000, where
    waitress's 100 lets idle keep-alive connections lock everybody else out.

    Raises:
        ConfigError: waitress refuses the combination.
    """
    from waitress.adjustments import Adjustments  # noqa: PLC0415  # the master does without it

    options = {name: value for name, value in values.items() if name not in BINDING}
    options.setdefault("connection_limit", connection_limit())
    options.setdefault("ident", "waitress")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return Adjustments(host="127.0.0.1", port=0, **options)
    except ValueError as error:
        raise ConfigError(
            f"waitress refuses the options: {error}", file=spec.file, section=spec.section
        ) from error
