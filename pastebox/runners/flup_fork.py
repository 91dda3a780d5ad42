"""The forking half of flup's servers: one request at a time in each of several processes."""

from __future__ import annotations

import functools
import signal
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pastebox.config.model import AppSource, ServerSpec
from pastebox.errors import ExitCode
from pastebox.process.signals import leave_to_parent
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext
from pastebox.runners.flup import FlupThread, info_of, make_traits
from pastebox.runners.obedience import HEARTBEAT_S

if TYPE_CHECKING:
    from pastebox.config.model import WSGIApp
    from pastebox.gateway.prefork import Place, Prefork
    from pastebox.gateway.server import Gateway
    from pastebox.gateway.traits import Finished
    from pastebox.observe.counters import Counters
    from pastebox.runners.flup_observer import MasterObserver
    from pastebox.runners.flup_options import Values


_SHOW_S = 0.2
"""How often the counts of the children become visible while something happens."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def forking_info_of(name: str) -> RunnerInfo:
    """Return what the runner of that name can do."""
    return info_of(name)._replace(forks=True, recycling=("maxRequests",))


class _Fork(FlupThread):
    """What the forking runners share."""

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Load the application, fork children that serve it until drained."""
        from pastebox.gateway.prefork import Bounds, Prefork  # noqa: PLC0415  # worker only
        from pastebox.observe.counters import Counters  # noqa: PLC0415  # worker only
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.obedience import Orders  # noqa: PLC0415  # worker only

        values = self._values(spec)
        app = load(source)
        counters = Counters(values.most)
        serve = functools.partial(
            serve_child, app, sockets, self._protocol, values, context, counters
        )
        bounds = Bounds(values.min_spare, values.max_spare, values.most)
        parent = Prefork(serve, bounds, counters.retire)
        orders = Orders(context, parent)

        def take() -> None:
            if not orders.take():
                parent.unwatch(orders.fileno())

        parent.watch(orders.fileno(), take)
        leave_to_parent(_SIGNALS)
        context.counters.show_threads(values.most)
        context.notify.send(READY=1)
        cut = parent.run(_Pulse(context, counters, parent).tick)
        context.counters.show(counters.sums())
        if cut:
            context.notify.send(X_PASTEBOX_CUT=cut)
            return ExitCode.DRAIN_TIMEOUT
        return ExitCode.OK


class _Pulse:
    """The parent's heartbeat, and the sum of what its children count."""

    def __init__(self, context: WorkerContext, counters: Counters, parent: Prefork) -> None:
        self._context = context
        self._counters = counters
        self._parent = parent
        self._next_heartbeat = 0.0
        self._has_said_stopping = False

    def tick(self, now: float) -> float:
        self._context.counters.show(self._counters.sums())
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            self._context.notify.send(WATCHDOG=1)
        if self._parent.is_draining and not self._has_said_stopping:
            self._has_said_stopping = True
            self._context.notify.send(STOPPING=1)
        return _SHOW_S


class ChildObserver:
    """Tells the parent whether this child is busy, and ends it after its share of requests."""

    def __init__(self, master: MasterObserver, place: Place, max_requests: int) -> None:
        self._master = master
        self._place = place
        self._left = max_requests or -1
        self._open = 0
        self._is_leaving = False
        self.tick = master.tick
        self.stopping = master.stopping
        self.ended = master.ended

    def join(self, gateway: Gateway, drain_timeout_s: float) -> None:
        """Learn whom to end, and how long that may take."""
        self._gateway = self._master.gateway = gateway
        self._drain_timeout_s = drain_timeout_s

    def started(self) -> None:
        """A request has come: there is one idle child less."""
        self._master.started()
        self._open += 1
        self._place.is_doing(self._place.BUSY)

    def finished(self, what: Finished) -> None:
        """It has been answered."""
        self._master.finished(what)
        self._open -= 1
        self._left -= 1
        if self._left == 0:
            self._is_leaving = True
            self._place.is_doing(self._place.LEAVING)
            self._gateway.leave(self._drain_timeout_s)
        elif not self._open and not self._is_leaving:
            self._place.is_doing(self._place.IDLE)


def serve_child(  # everything that the parent has got ready before the fork
    app: WSGIApp,
    sockets: Sequence[socket.socket],
    protocol: str,
    values: Values,
    context: WorkerContext,
    counters: Counters,
    place: Place,
) -> int:
    """Serve in a child, one request at a time, until told to leave."""
    from pastebox.gateway.limits import Limits, connection_limit  # noqa: PLC0415  # imported before
    from pastebox.gateway.server import Gateway  # noqa: PLC0415  # imported before
    from pastebox.runners.flup_observer import MasterObserver  # noqa: PLC0415  # likewise
    from pastebox.runners.obedience import Orders  # noqa: PLC0415  # likewise
    from pastebox.runners.watch import tell_cut, watch  # noqa: PLC0415  # likewise

    context = context._replace(counters=counters.slot(place.number), orders=place.link)
    watcher = ChildObserver(MasterObserver(context, is_silent=True), place, values.max_requests)
    limits = Limits(max_threads=0, connections=connection_limit())
    traits = make_traits(protocol, values, is_multithread=False, is_multiprocess=True)
    gateway = Gateway(app, sockets, traits, limits, watcher)
    watcher.join(gateway, context.drain_timeout_s)
    orders = Orders(context, gateway)

    def take() -> None:
        if not orders.take():
            gateway.unwatch(orders.fileno())

    gateway.watch(orders.fileno(), take)
    leave_to_parent(_SIGNALS)
    # The request keeps this process, whose only thread hears no order meanwhile.
    signal.signal(signal.SIGQUIT, lambda *_: tell_cut(gateway.running()))
    watch(context, gateway.running, 1)
    cut = gateway.run()
    if cut:
        place.link.send(b"cut %d\n" % cut)
    return ExitCode.OK


class ScgiForkRunner(_Fork):
    """``use = egg:PasteScript#flup_scgi_fork``."""

    info = forking_info_of("flup_scgi_fork")


class FcgiForkRunner(_Fork):
    """``use = egg:PasteScript#flup_fcgi_fork``."""

    info = forking_info_of("flup_fcgi_fork")


class AjpForkRunner(_Fork):
    """``use = egg:PasteScript#flup_ajp_fork``."""

    info = forking_info_of("flup_ajp_fork")
