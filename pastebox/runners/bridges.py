"""bjoern and uWSGI as Paste servers, where the operator has installed them.

``paste.server_runner = pastebox.runners.bridges:bjoern`` (or ``:uwsgi``) in ``[server:main]``.
Neither has an entry point for Paste of its own. Both run in the worker's process, and end by its
INT when nothing runs any more.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket as socket_module  # an option has its name
import sys
import types
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pastebox.errors import ConfigError, UnavailableError
from pastebox.runners.options import bare_host

if TYPE_CHECKING:
    from pastebox.runners.external import Guest

_log = logging.getLogger("pastebox.worker")
_OF_THE_MASTER = frozenset(
    {"M", "callable", "daemonize", "daemonize2", "die-on-term", "emperor", "enable-threads"}
    | {"file", "http11-socket", "ini", "ini-paste", "json", "master", "module", "mount", "p"}
    | {"paste", "processes", "wsgi-file", "workers", "xml", "yaml"}
)
_BACKLOG = 1024


def bjoern(
    app: Guest,
    global_conf: Mapping[str, str],  # noqa: ARG001  # the interface of a server runner
    host: str = "127.0.0.1",
    port: str = "8080",
    socket: str = "",
) -> None:
    """Run bjoern on a TCP address, or on a unix socket (``socket = /path``)."""
    try:
        import bjoern as server  # noqa: PLC0415  # only where it is asked for
    except ImportError:
        raise UnavailableError("bjoern is not installed", hint="pip install bjoern") from None
    listener = _listen(bare_host(host), int(port), socket)
    try:
        server.server_run(listener, _completed(app))
    finally:
        listener.close()
        if socket:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(socket)


def uwsgi(
    app: Guest,
    global_conf: Mapping[str, str],
    host: str = "127.0.0.1",
    port: str = "8080",
    socket: str = "",
    **options: str,
) -> None:
    """Run uWSGI's HTTP server with threads; other options are its own, by their long names."""
    try:
        import pyuwsgi as server  # noqa: PLC0415  # only where it is asked for
    except ImportError:
        raise UnavailableError("pyuwsgi is not installed", hint="pip install pyuwsgi") from None
    named = {name.replace("_", "-"): text for name, text in options.items()}
    refused = sorted(_OF_THE_MASTER & named.keys())
    if refused:
        raise ConfigError(
            "is pastebox's business",
            file=global_conf.get("__file__"),
            option=refused[0],
            hint=f"remove {refused[0]}; PASTEBOX_WORKERS and the application are pastebox's",
        )
    module = types.ModuleType("pastebox_application")
    module.application = _completed(app)  # type: ignore[attr-defined]  # where uWSGI looks for it
    sys.modules[module.__name__] = module
    named.setdefault("threads", "4")
    words = [word for name, text in named.items() for word in _words(name, text)]
    host = bare_host(host)
    place = socket or f"{f'[{host}]' if ':' in host else host}:{port}"
    served = ["--http11-socket", place, "--module", module.__name__, "--need-app"]
    server.run([*served, "--enable-threads", "--die-on-term", "--disable-logging", *words])


def _words(name: str, text: str) -> list[str]:
    word = text.strip()
    if word.lower() in ("true", "yes", "on"):
        return [f"--{name}"]
    return [] if word.lower() in ("false", "no", "off") else [f"--{name}", word]


def _completed(app: Guest) -> Any:
    """Do what both servers leave to an application."""

    def completed(environ: dict[str, Any], start_response: Any) -> Any:
        if "REQUEST_METHOD" not in environ:  # uWSGI hands garbage over
            start_response("400 Bad Request", [("Content-Length", "0")])
            return []
        environ.setdefault("QUERY_STRING", "")

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            if app.is_lame:
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, *error)

        body: Any = ()
        try:
            body = app(environ, start)
            parts = iter(body)
            first = next(parts, b"")
        except Exception:  # noqa: BLE001  # a boundary, and it is logged
            _log.exception("the application failed")
            _close(body)
            headers = [("Content-Type", "text/plain"), ("Connection", "close")]
            start_response("500 Internal Server Error", headers, sys.exc_info())
            return [b"Internal Server Error\n"]
        return _Begun(first, parts, body)

    return completed


class _Begun:
    """A body whose first part is there: until then a failure is an answer of its own."""

    def __init__(self, first: bytes, parts: Iterator[bytes], body: Any) -> None:
        self._parts = itertools.chain((first,), parts)
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def close(self) -> None:
        """Let the application know that the response is over."""
        _close(self._body)


def _close(body: Any) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _listen(host: str, port: int, path: str) -> socket_module.socket:
    """Return a listening socket; bjoern's own knows no IPv6, and no socket that was left over."""
    if path:
        _remove_stale(path)
        listener = socket_module.socket(socket_module.AF_UNIX)
        listener.bind(path)
        listener.listen(_BACKLOG)
    else:
        family = socket_module.AF_INET6 if ":" in host else socket_module.AF_INET
        listener = socket_module.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def _remove_stale(path: str) -> None:
    with socket_module.socket(socket_module.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            os.unlink(path)
