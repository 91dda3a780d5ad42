"""granian: HTTP in Rust, the application in threads, in processes of the master's."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

import granian  # noqa: F401  # the registry says what to install where it is missing

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.process.signals import leave_to_parent
from pastebox.runners import granian_options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext


class GranianRunner:
    """``use = egg:pastebox#granian``."""

    info = RunnerInfo(
        name="granian",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,
        extra="granian",
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        return granian_options.binds(granian_options.check_options(spec))

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.granian_server import (  # noqa: PLC0415  # worker only
            GranianServer,
            exit_code,
        )
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy

        app = load(source)
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        server = GranianServer(app, granian_options.check_options(spec), sockets, context)
        context.notify.send(READY=1)
        return exit_code(server.run(), context)
