"""FastCGI, SCGI and AJP behind flup's names and options, served by ``pastebox.gateway``.

flup's structure admits no mend of its thread pool, its SCGI input, its ``select`` and its AJP
bodies; none of its code is used.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners import flup_options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext

if TYPE_CHECKING:
    from pastebox.gateway.server import Gateway
    from pastebox.gateway.traits import Traits

_log = logging.getLogger("pastebox.worker")

_PROTOCOLS = {"scgi": "scgi", "fcgi": "fastcgi", "ajp": "ajp"}


def info_of(name: str) -> RunnerInfo:
    """Return what the runner of that name can do."""
    return RunnerInfo(
        name=name,
        protocols=(_PROTOCOLS[name.split("_")[1]],),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=False,  # the number of children is an option, not the master's business
        extra=None,
    )


class FlupThread:
    """What the threaded runners share."""

    info: RunnerInfo

    @property
    def _protocol(self) -> str:
        return self.info.name.split("_")[1]

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type; the same of
                FCGI_WEB_SERVER_ADDRS.
        """
        self._values(spec)
        return flup_options.binds(self._protocol, self._check(spec))

    def _check(self, spec: ServerSpec) -> dict[str, object]:
        is_fork = self.info.name.endswith("_fork")
        return flup_options.check_options(spec, self._protocol, is_fork=is_fork)

    def _values(self, spec: ServerSpec) -> flup_options.Values:
        return flup_options.evaluate(self._check(spec), self._protocol, os.environ)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, serve it until drained; 0, or 124 when requests were cut off."""
        from pastebox.gateway.limits import Limits, connection_limit  # noqa: PLC0415  # worker only
        from pastebox.gateway.server import Gateway  # noqa: PLC0415  # worker only
        from pastebox.runners.flup_observer import MasterObserver  # noqa: PLC0415  # worker only
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.watch import watch  # noqa: PLC0415  # worker only

        values = self._values(spec)
        app = load(source)
        observer = MasterObserver(context)
        limits = Limits(
            min_threads=max(1, values.min_spare),
            spare_threads=values.max_spare,
            max_threads=values.most,
            connections=connection_limit(),
        )
        traits = make_traits(
            self._protocol, values, is_multithread=True, is_multiprocess=context.workers > 1
        )
        gateway = Gateway(app, sockets, traits, limits, observer)
        observer.gateway = gateway
        obey(gateway, context)
        # a signal to the whole group reaches the master too, and the master gives the orders
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        context.notify.send(READY=1)
        watch(context, gateway.running, limits.max_threads)
        cut = gateway.run()
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK


def obey(gateway: Gateway, context: WorkerContext) -> None:
    """Have a gateway take the master's orders."""
    from pastebox.runners.obedience import Orders  # noqa: PLC0415  # worker only

    orders = Orders(context, gateway)

    def take() -> None:
        if not orders.take():
            gateway.unwatch(orders.fileno())

    gateway.watch(orders.fileno(), take)


def make_traits(
    protocol: str, values: flup_options.Values, *, is_multithread: bool, is_multiprocess: bool
) -> Traits:
    """Return how a protocol is served with these options."""
    from pastebox.gateway.peers import peer_check  # noqa: PLC0415  # worker only
    from pastebox.gateway.traits import Traits  # noqa: PLC0415  # worker only

    return Traits(
        make_wire=_wire(protocol, values),
        script_name=values.script_name,
        may_talk=peer_check(values.allowed if values.allowed is not None else ("*",)),
        is_multithread=is_multithread,
        is_multiprocess=is_multiprocess,
    )


def _wire(protocol: str, values: flup_options.Values) -> Callable[[Any], Any]:
    if protocol == "scgi":
        from pastebox.gateway.scgi import ScgiWire  # noqa: PLC0415  # only what is asked for

        return ScgiWire
    if protocol == "ajp":
        from pastebox.gateway.ajp import AjpWire  # noqa: PLC0415  # only what is asked for

        return functools.partial(AjpWire, secret=values.secret)
    from pastebox.gateway.fastcgi import Capacity, FastCgiWire  # noqa: PLC0415  # likewise

    capacity = Capacity(requests=values.most, is_multiplexing=values.is_multiplexed)
    return functools.partial(FastCgiWire, capacity=capacity)


class ScgiThreadRunner(FlupThread):
    """``use = egg:PasteScript#flup_scgi_thread``."""

    info = info_of("flup_scgi_thread")


class FcgiThreadRunner(FlupThread):
    """``use = egg:PasteScript#flup_fcgi_thread``."""

    info = info_of("flup_fcgi_thread")


class AjpThreadRunner(FlupThread):
    """``use = egg:PasteScript#flup_ajp_thread``."""

    info = info_of("flup_ajp_thread")
