"""``egg:Paste#http`` where Paste is not installed: its options, served by waitress.

An option that waitress can honour is translated; one that it cannot is refused by its name and
with the reason, since a limit that silently holds no more is worse than none.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.runners import options
from pastebox.runners.context import WorkerContext
from pastebox.runners.waitress import WaitressRunner

_THREADS = "10"
"""Paste's own number of threads."""
_WATCH = "waitress does not watch its threads; Paste's own server does, when Paste is installed"
_TLS = "waitress has no TLS; put a front end before it, or use egg:PasteScript#cherrypy"


def _protocol(text: str) -> str:
    if text != "HTTP/1.1":
        raise ValueError
    return text


def _true(text: str) -> bool:
    if not options.flag(text):
        raise ValueError
    return True


OPTIONS: dict[str, options.Row] = {
    "host": options.TEXT,
    "port": options.PORT,
    "server_version": options.TEXT,
    "protocol_version": (_protocol, "HTTP/1.1, which is what waitress speaks"),
    "start_loop": (_true, "true: there is nothing else to start it"),
    "use_threadpool": (_true, "true: waitress always has a pool of threads"),
    "daemon_threads": options.FLAG,
    "socket_timeout": options.COUNT,
    "threadpool_workers": options.COUNT,
    "request_queue_size": options.COUNT,
}
"""``daemon_threads`` makes no difference: at the end of a drain no thread is waited for."""

TRANSLATED = {
    "server_version": "ident",
    "socket_timeout": "channel_timeout",
    "threadpool_workers": "threads",
    "request_queue_size": "backlog",
}

REFUSED = {
    "ssl_pem": _TLS,
    "ssl_context": _TLS,
    **{
        f"threadpool_{name}": _WATCH
        for name in (
            "max_requests",
            "hung_thread_limit",
            "kill_thread_limit",
            "dying_limit",
            "spawn_if_under",
            "max_zombie_threads_before_die",
            "hung_check_period",
            "logger",
            "error_email",
        )
    },
}


class HttpRunner:
    """``use = egg:Paste#http``."""

    info = WaitressRunner.info._replace(name="http", extra=None)

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the address that the options ask for, 127.0.0.1:8080 by default.

        Raises:
            ConfigError: an option is unknown or cannot be honoured, or its value is not of its
                type.
        """
        return WaitressRunner().binds(for_waitress(spec))

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        return WaitressRunner().serve(source, for_waitress(spec), sockets, context)


def for_waitress(spec: ServerSpec) -> ServerSpec:
    """Return the same in waitress's words.

    Raises:
        ConfigError: an option is unknown or cannot be honoured, or its value is not of its type.
    """
    options.check(spec, OPTIONS, REFUSED)
    host, port = _address(spec)
    said = {"threads": _THREADS, "host": host, "port": port}
    origins = dict(spec.origins)
    for name, translated in TRANSLATED.items():
        if name in spec.options:
            said[translated] = spec.options[name]
            if name in spec.origins:
                origins[translated] = spec.origins[name]
    return spec._replace(options=said, origins=origins)


def _address(spec: ServerSpec) -> tuple[str, str]:
    """Return host and port; Paste takes ``host:port`` in ``host`` as well."""
    host = spec.options.get("host", "127.0.0.1")
    name, colon, number = host.rpartition(":")
    is_pair = colon and not number.endswith("]") and (":" not in name or name.endswith("]"))
    if is_pair and "port" not in spec.options:
        try:
            return name, str(options.port(number))
        except ValueError:
            raise options.refusal(
                spec, "host", found=f'"{host}"', expected="a host, or host:port"
            ) from None
    return host, spec.options.get("port", "8080")
