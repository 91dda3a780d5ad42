"""The health port as part of the master: bound first, served as soon as the loop turns."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

from pastebox import __version__
from pastebox.environment import from_environment, read_value_file
from pastebox.health import target as targets
from pastebox.health.probe import Probe
from pastebox.health.protocol import Protocol
from pastebox.master.prepare import Prepared
from pastebox.observe import port as health_port
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.settings import AJP_SECRET, options

_TLS_OPTIONS = ("ssl_pem", "certfile", "ssl_certificate", "ssl_cert")


class Health:
    """The health port and, once something serves, the probe of the application behind it."""

    def __init__(self, loop: Loop, status: Status, listener: socket.socket) -> None:
        self._loop = loop
        self._port = health_port.HealthPort(loop, listener, status)
        self._status = status
        self._probe: Probe | None = None

    def serve(self, prepared: Prepared, listeners: Sequence[socket.socket]) -> None:
        """Show these facts, and ask this application for readiness if the settings say so."""
        rows = [
            (row.name, str(row.__get__(prepared.settings, type(prepared.settings))), origin)
            for row in options()
            if (origin := prepared.settings.origin(row.name)) != "default"
        ]
        versions = {"pastebox": __version__, "python": sys.version.partition(" ")[0]}
        self._status.set_facts(settings=rows, versions=versions)
        path = prepared.settings.ready_path
        if self._probe is not None:
            self._probe.close()
        self._probe = None
        target = _target(prepared, listeners)
        if path is not None and target is not None:
            self._probe = Probe(self._loop, target, path, protocol=_protocol(prepared))
        self._port.probe = self._probe

    def close(self) -> None:
        """Close the port and a running probe."""
        if self._probe is not None:
            self._probe.close()
        self._port.close()

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked child."""
        if self._probe is not None:
            self._probe.close_in_child()
        self._port.close_in_child()


def _target(prepared: Prepared, listeners: Sequence[socket.socket]) -> targets.Target | None:
    """Return where the server listens; ``None`` where that is nowhere, as for CGI."""
    if not listeners:  # the server binds by itself
        return targets.of_bind(prepared.binds[0]) if prepared.binds else None
    address = listeners[0].getsockname()
    if listeners[0].family == socket.AF_UNIX:
        return targets.unix(address)
    return targets.tcp(address[0], address[1])


def _protocol(prepared: Prepared) -> Protocol:
    """Return the server's own protocol, as its options make it."""
    name = prepared.runner.info.protocols[0]
    if name == "http" and any(prepared.spec.options.get(option) for option in _TLS_OPTIONS):
        name = "https"
    secret = prepared.spec.options.get("secret", "") if name == "ajp" else ""
    if name == "ajp" and not secret:
        found = from_environment(AJP_SECRET, prepared.environ, read_value_file)
        secret = found.text if found else ""
    return Protocol(name, secret=secret)
