"""The options of ``egg:pastebox#granian``: granian's own names (of its ``Server``) and defaults.

What granian's process manager does (workers, their replacement, reload) is the master's here.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Any

from pastebox.config.model import Bind, ServerSpec
from pastebox.runners import options
from pastebox.runners.options import COUNT, FLAG, NUMBER, OCTAL, PORT, TEXT, Row, refusal


def _one_of(*words: str) -> Row:
    def read(text: str) -> str:
        if text.strip() not in words:
            raise ValueError
        return text.strip()

    return (read, "one of " + ", ".join(words))


def _idle(text: str) -> int:
    if not 5 <= options.number(text) <= 600:  # noqa: PLR2004  # granian's own bounds
        raise ValueError
    return int(text)


def _prefix(text: str) -> str:
    path = "/" + text.strip().strip("/")
    return "" if path == "/" else path


OPTIONS: dict[str, Row] = {
    "host": TEXT,
    "port": PORT,
    "uds": TEXT,
    "uds_permissions": OCTAL,
    "http": _one_of("auto", "1", "2"),
    "backlog": NUMBER,
    "backpressure": COUNT,
    "blocking_threads": COUNT,
    "blocking_threads_idle_timeout": (_idle, "seconds from 5 to 600"),
    "runtime_threads": COUNT,
    "runtime_blocking_threads": COUNT,
    "runtime_mode": _one_of("auto", "mt", "st"),
    "url_path_prefix": (_prefix, "a path"),
    "http1_header_read_timeout": (options.count, "milliseconds above 0"),
    "http1_keep_alive": FLAG,
    "http1_max_buffer_size": COUNT,
    "http1_pipeline_flush": FLAG,
    "http2_adaptive_window": FLAG,
    "http2_initial_connection_window_size": COUNT,
    "http2_initial_stream_window_size": COUNT,
    "http2_keep_alive_interval": COUNT,
    "http2_keep_alive_timeout": COUNT,
    "http2_max_concurrent_streams": COUNT,
    "http2_max_frame_size": COUNT,
    "http2_max_headers_size": COUNT,
    "http2_max_send_buffer_size": COUNT,
    "ssl_cert": TEXT,
    "ssl_key": TEXT,
    "ssl_key_password": TEXT,
    "ssl_protocol_min": _one_of("tls1.2", "tls1.3"),
    "ssl_ca": TEXT,
    "ssl_client_verify": FLAG,
}
"""Option name to its reader and what it expects."""

_MASTER = "it is the master's: "
REFUSED = {
    "workers": _MASTER + "set PASTEBOX_WORKERS",
    "address": "the address is host and port here",
    "interface": "PasteDeploy's applications are WSGI",
    "websockets": "WSGI has none",
    "loop": "WSGI has none",
    "task_impl": "WSGI has none",
    "reload": _MASTER + "HUP to pastebox loads the application anew",
    "respawn_failed_workers": _MASTER + "it always does",
    "respawn_interval": _MASTER + "see PASTEBOX_WORKER_RESTARTS",
    "workers_kill_timeout": _MASTER + "set PASTEBOX_DRAIN_TIMEOUT",
    "pid_file": _MASTER + "a container's server stays in the foreground",
    "log_access": _MASTER + "set PASTEBOX_ACCESS_LOG",
    "log_access_format": _MASTER + "set PASTEBOX_ACCESS_LOG",
    "log_level": _MASTER + "set PASTEBOX_LOG_LEVEL",
    "metrics_enabled": _MASTER + "the health port has /metrics",
}
"""Options of granian's process manager, and who has them now."""

BACKPRESSURE = 4096
"""Connections of one process; granian's own default is its backlog, 1024."""
BLOCKING_THREADS = 16
"""Threads of one process; granian's own default is half of the backpressure."""


def check_options(spec: ServerSpec) -> dict[str, object]:
    """Return the options as values of their types.

    Raises:
        ConfigError: an unknown or a refused option, a bad value, two that exclude each other.
    """
    values = options.check(spec, OPTIONS, REFUSED)
    if "uds" in values:
        for name in ("host", "port"):
            if name in values:
                raise refusal(spec, name, "cannot stand beside uds", hint=f"remove {name}")
    _check_tls(spec, values)
    return values


def _check_tls(spec: ServerSpec, values: Mapping[str, object]) -> None:
    certificate, key = values.get("ssl_cert"), values.get("ssl_key")
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        given, missing = ("ssl_key", "ssl_cert") if key else ("ssl_cert", "ssl_key")
        raise refusal(spec, given, f"is of no use without {missing}")
    for name in ("ssl_cert", "ssl_key", "ssl_ca"):
        if name in values and not os.access(str(values[name]), os.R_OK):
            hint = "check the mount and its mode"
            raise refusal(spec, name, f"{values[name]} cannot be read", hint=hint)
    if values.get("ssl_client_verify") and "ssl_ca" not in values:
        raise refusal(spec, "ssl_client_verify", "needs ssl_ca, who signed the clients' keys")
    password = values.get("ssl_key_password")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(certificate), str(key), str(password) if password else None)
    except (OSError, ValueError) as error:
        raise refusal(spec, "ssl_key", f"certificate and key do not fit: {error}") from error


def binds(values: Mapping[str, object]) -> tuple[Bind, ...]:
    """Return the address of checked options; granian's defaults are 127.0.0.1 and 8000."""
    if "uds" in values:
        mode = int(str(values.get("uds_permissions", 0o600)))
        return (Bind("unix", path=str(values["uds"]), mode=mode),)
    return (options.tcp(values, "127.0.0.1", 8000),)


def of_protocol(values: Mapping[str, object], protocol: str) -> dict[str, Any]:
    """Return the options of ``http1`` or ``http2``, under the names of granian's settings."""
    prefix = protocol + "_"
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix)
    }
