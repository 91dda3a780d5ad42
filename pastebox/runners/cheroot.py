"""The threaded HTTP servers of old INIs, on cheroot: ``wsgiutils`` and ``cherrypy``.

WSGIUtils itself never left Python 2, and CherryPy gave its server away: cheroot is that server.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

import cheroot  # noqa: F401  # says at once, in the master, that the extra is missing

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners import cheroot_options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext


class WsgiutilsRunner:
    """``use = egg:PasteScript#wsgiutils``."""

    info = RunnerInfo(
        name="wsgiutils",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,
        extra="wsgiutils",
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for; localhost:8080 by default.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        return cheroot_options.wsgiutils_binds(spec)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.cheroot_server import run  # noqa: PLC0415  # worker only
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy

        options_ = cheroot_options.server_options(spec)
        app = load(source)
        # a signal to the whole group reaches the master too, and the master gives the orders
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        cut = run(app, options_, sockets, context)
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK


class CherrypyRunner(WsgiutilsRunner):
    """``use = egg:PasteScript#cherrypy``, of pyramid and of gearbox as well."""

    info = WsgiutilsRunner.info._replace(name="cherrypy", extra="cherrypy")

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the address that the options ask for; 127.0.0.1:8080 by default, 4443 with TLS.

        Raises:
            ConfigError: an option is unknown, its value is not of its type, or the PEM file
                cannot be used.
        """
        return cheroot_options.cherrypy_binds(spec)
