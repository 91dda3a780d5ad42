"""waitress, the default runner: its protocol and options, behind a loop and a drain of our own."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners import waitress_options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext


class WaitressRunner:
    """``use = egg:waitress#main``."""

    info = RunnerInfo(
        name="waitress",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,
        extra=None,
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        values = waitress_options.check_options(spec)
        return waitress_options.binds(spec, values)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.waitress_loop import WaitressLoop  # noqa: PLC0415  # worker only

        adj = waitress_options.adjustments(spec, waitress_options.check_options(spec))
        app = load(source)
        loop = WaitressLoop(app, adj, sockets, context, is_multiprocess=context.workers > 1)
        # a signal to the whole group reaches the master too, and the master gives the orders
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        context.notify.send(READY=1)
        cut = loop.run()
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK
