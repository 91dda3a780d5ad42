"""twisted.web on the master's sockets: its reactor, its protocol, its threads, and our end.

Twisted closes everything at once when it stops. Here the listeners go first, then connections
that owe nobody an answer, and the reactor last.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from twisted.internet import reactor as default_reactor
from twisted.logger import STDLibLogObserver, globalLogBeginner
from twisted.web.http import HTTPChannel
from twisted.web.server import Request as TwistedRequest
from twisted.web.server import Site

from pastebox.config.model import WSGIApp
from pastebox.process.last_bytes import unacknowledged, unread
from pastebox.runners.context import WorkerContext
from pastebox.runners.middleware import Accounted
from pastebox.runners.obedience import HEARTBEAT_S, Orders
from pastebox.runners.twisted_flow import Flow, PacedResource
from pastebox.runners.twisted_threads import Threads
from pastebox.runners.watch import tell_cut, watch

reactor: Any = default_reactor

_THREADS = 10
_TICK_S = 0.02
_LOG_S = 0.1
_HANDSHAKE_S = 0.05
"""How long a handshake that has begun may take."""
_WARM_S = 0.25
"""How long an idle connection gets, since its next request may be on its way."""
_EVICTABLE_S = 1.0
"""A connection that was active, or made, this recently is likely to have a request under way."""
_PROMISED_S = 1.0
"""How long one gets whose answer has ended in the drain, and had begun before without ``close``."""
_HEADER_S = 1.0
"""How long a request may take to become one."""


class Channel(HTTPChannel):  # type: ignore[misc]  # Twisted's own types are skipped
    """One connection; it ends with its answer when the server is about to stop."""

    owner: TwistedServer

    def connectionMade(self) -> None:  # noqa: N802  # Twisted's name
        """Be known to the server, so that it can be seen off."""
        self.last_activity = time.monotonic()
        self.heads = 0  # requests whose header is here and whose answer is not through
        self.flow = Flow(self.transport)
        self.owner.channels.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  # likewise
        """Be forgotten."""
        self.owner.channels.discard(self)
        self.flow.resume()
        super().connectionLost(reason)

    def pauseProducing(self) -> None:  # noqa: N802  # likewise
        """Have the application wait: the client is slower."""
        self.flow.pause()
        super().pauseProducing()

    def resumeProducing(self) -> None:  # noqa: N802  # likewise
        """Let the application go on."""
        self.flow.resume()
        super().resumeProducing()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # likewise
        """Take what has come."""
        self.last_activity = time.monotonic()
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802  # likewise
        """Take a request for one: Twisted does so at its first line."""
        self.heads += 1
        super().allHeadersReceived()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:  # noqa: N802  # likewise
        """Send the header, with ``Connection: close`` once the server is lame."""
        if self.owner.is_lame:
            self.persistent = False
            headers = [pair for pair in _pairs(headers) if pair[0].lower() != b"connection"]
            headers.append((b"Connection", b"close"))
        super().writeHeaders(version, code, reason, headers)

    def requestDone(self, request: Any) -> None:  # noqa: N802  # likewise
        """Wait for the next request, or leave."""
        self.heads -= 1
        self.last_activity = time.monotonic()
        super().requestDone(request)

    @property
    def is_busy(self) -> bool:
        """Whether a whole header is here whose answer is not through."""
        return self.heads > 0

    @property
    def has_begun(self) -> bool:
        """Whether a part of a header is here."""
        return bool(self.requests or getattr(self, "_buffer", b""))


def _pairs(headers: Any) -> list[tuple[bytes, bytes]]:
    if hasattr(headers, "getAllRawHeaders"):
        return [(name, one) for name, values in headers.getAllRawHeaders() for one in values]
    return list(headers)


class Request(TwistedRequest):  # type: ignore[misc]  # Twisted's own types are skipped
    """A request whose client may leave before the application has read it."""

    content: Any
    _is_whole = False

    def process(self) -> None:
        """Give the request, which is whole, to the application."""
        self._is_whole = True
        super().process()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  # Twisted's name
        """Leave the body open, which a thread may be reading."""
        if not self._is_whole:
            super().connectionLost(reason)  # closes the half of a body that no thread will read
            return
        content = self.content
        self.content = None
        super().connectionLost(reason)
        self.content = content

    def finish(self) -> None:
        """End the answer, unless nobody receives it."""
        if not self._disconnected:
            super().finish()


class Web(Site):  # type: ignore[misc]  # Twisted's own types are skipped
    """Makes a channel for each connection; the access log is not its business."""

    def __init__(self, owner: TwistedServer, resource: Any) -> None:
        super().__init__(resource, requestFactory=Request)
        self.protocol = type("OwnedChannel", (Channel,), {"owner": owner})

    def log(self, request: Any) -> None:
        """Stay silent: the access log has it."""


class TwistedServer:
    """Everything of one worker; ``run`` it in the main thread."""

    def __init__(
        self, app: WSGIApp, sockets: Sequence[socket.socket], context: WorkerContext
    ) -> None:
        self.is_lame = self.is_held = False
        self.channels: set[Channel] = set()
        self._context = context
        self._sockets = list(sockets)
        self._orders = Orders(context, self)
        self._accounted = Accounted(_true_environ(app, context.workers > 1), context)
        self._ports: list[Any] = []
        self._held: dict[Channel, socket.socket] = {}
        self._drain_began = 0.0
        self._deadline = float("inf")
        self._cut = 0
        self._next_heartbeat = 0.0

    def run(self) -> int:
        """Serve until drained; return the number of requests that the deadline cut off."""
        globalLogBeginner.beginLoggingTo([STDLibLogObserver("twisted")], redirectStandardIO=False)
        site = Web(self, PacedResource(Threads(_THREADS), self._accounted))
        for one in self._sockets:
            self._ports.append(reactor.adoptStreamPort(one.fileno(), one.family, site))
        watch(self._context, self._accounted.running, _THREADS)
        reactor.addReader(self)
        reactor.callLater(0, self._tick)
        reactor.callWhenRunning(lambda: self._context.notify.send(READY=1))
        reactor.run(installSignalHandlers=False)
        if self._accounted.lines is not None:
            self._accounted.lines.write()
        return self._cut

    # -- orders, as a descriptor of the reactor ------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor of the orders."""
        return self._orders.fileno()

    def doRead(self) -> None:  # noqa: N802  # Twisted's name
        """Obey what has come."""
        if not self._orders.take():
            reactor.removeReader(self)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802  # likewise
        """Nothing: the end of the orders is seen by reading them."""

    def logPrefix(self) -> str:  # noqa: N802  # likewise
        """Return how Twisted calls it in its log."""
        return "orders"

    def become_lame(self) -> None:
        """Say ``Connection: close`` from now on."""
        self.is_lame = True

    def hold(self, *, is_held: bool) -> None:
        """Leave newcomers to the next generation, and close what was opened ahead of a request."""
        self.is_held = is_held and not self._drain_began
        for port in self._ports:
            (port.stopReading if self.is_held else port.startReading)()
        before = time.monotonic() - _EVICTABLE_S
        for channel in list(self.channels) if self.is_held else ():
            if channel.last_activity < before and not (channel.is_busy or channel.has_begun):
                channel.transport.loseConnection()

    def start_drain(self, seconds: float) -> None:
        """Stop accepting and end within ``seconds``; a second call can only make it sooner."""
        now = time.monotonic()
        self.is_lame = True
        self._deadline = min(self._deadline, now + seconds)
        self._drain_began = self._drain_began or now

    # -- time --------------------------------------------------------------------------------

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            self._context.notify.send(WATCHDOG=1)
        if self._accounted.lines:
            self._accounted.lines.write()
        if self._drain_began:
            self._drain(now)
        reactor.callLater(_TICK_S if self._drain_began else _LOG_S, self._tick)

    def _drain(self, now: float) -> None:
        # Where newcomers were held, the next generation is there and takes them.
        if self._ports and (self.is_held or now - self._drain_began >= _HANDSHAKE_S):
            for port in self._ports:
                port.stopListening()
            for one in self._sockets:
                one.close()
            self._ports = []
            self._context.notify.send(STOPPING=1)
        for channel in list(self.channels):
            self._hold(channel)
            if not channel.is_busy and self._may_close(channel, now):
                channel.transport.loseConnection()
        for channel, one in list(self._held.items()):
            if channel not in self.channels and not unacknowledged(one):
                self._held.pop(channel).close()
        if now >= self._deadline:
            self._end()
        elif not (self._ports or self.channels or self._held):
            reactor.stop()
            self._drain_began, self._deadline = 0.0, float("inf")

    def _hold(self, channel: Channel) -> None:
        """Keep the socket open beside Twisted, until the peer's kernel has its last bytes."""
        if channel not in self._held:
            with contextlib.suppress(OSError, AttributeError):
                handle = channel.transport.getHandle()
                self._held[channel] = socket.socket(fileno=os.dup(handle.fileno()))

    def _may_close(self, channel: Channel, now: float) -> bool:
        held = self._held.get(channel)
        if held is not None and (unacknowledged(held) or unread(held)):  # asked since the last look
            channel.last_activity = now
            return False
        if channel.has_begun:
            return now - self._drain_began > _HEADER_S
        if self._drain_began - channel.last_activity > 1:
            return True
        if channel.last_activity > self._drain_began:
            return now - channel.last_activity > _PROMISED_S
        return now - self._drain_began > _WARM_S

    def _end(self) -> None:
        """Give up on what is left; count what is lost by that."""
        for channel in self.channels:
            if channel.is_busy:
                self._cut += 1
        tell_cut(self._accounted.running())
        reactor.stop()
        self._drain_began, self._deadline = 0.0, float("inf")


def _true_environ(app: WSGIApp, is_multiprocess: bool) -> WSGIApp:  # noqa: FBT001  # private
    def true(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.multiprocess"] = is_multiprocess
        for name in ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"):
            environ.pop(name, None)  # PEP 3333 has other names for both
        return app(environ, start_response)

    return true
