"""Twisted's web server, ``egg:PasteScript#twisted``."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

import twisted  # noqa: F401  # says at once, in the master, that the extra is missing

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners import options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext

OPTIONS: dict[str, options.Row] = {"host": options.TEXT, "port": options.PORT}


class TwistedRunner:
    """``use = egg:PasteScript#twisted``: what was twisted.web2 is twisted.web today."""

    info = RunnerInfo(
        name="twisted",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,
        extra="twisted",
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the address that the options ask for, 127.0.0.1:8080 by default.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        return (options.tcp(options.check(spec, OPTIONS), "127.0.0.1", 8080),)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,  # noqa: ARG002  # every runner has the same signature
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.twisted_server import TwistedServer  # noqa: PLC0415  # worker only

        app = load(source)
        # a signal to the whole group reaches the master too, and the master gives the orders
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        cut = TwistedServer(app, sockets, context).run()
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK
