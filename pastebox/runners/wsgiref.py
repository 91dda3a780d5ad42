"""The standard library's server, ``egg:pyramid#wsgiref`` and ``egg:gearbox#wsgiref``."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners import options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext

OPTIONS: dict[str, options.Row] = {
    "host": options.TEXT,
    "port": options.PORT,
    "wsgiref.threaded": options.FLAG,
}
"""Of both spellings; the last one is gearbox's, and threads are the default here."""

_THREADS = 10


class WsgirefRunner:
    """``use = egg:pyramid#wsgiref``: HTTP/1.0, one request for each connection."""

    info = RunnerInfo(
        name="wsgiref",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,
        extra=None,
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the address that the options ask for, 0.0.0.0:8080 by default.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        return (options.tcp(options.check(spec, OPTIONS), "0.0.0.0", 8080),)  # noqa: S104  # pyramid's own default

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.wsgiref_server import run  # noqa: PLC0415  # worker only

        values = options.check(spec, OPTIONS)
        app = load(source)
        # a signal to the whole group reaches the master too, and the master gives the orders
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        threads = _THREADS if values.get("wsgiref.threaded", True) else 1
        cut = run(app, threads, sockets, context)
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK
