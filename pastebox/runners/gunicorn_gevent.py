"""gunicorn's gevent classes under the arbiter's orders: an end that is not a second late.

gevent is imported by gunicorn's class, and this module after it.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from pastebox.process.last_bytes import unacknowledged
from pastebox.runners.gunicorn_guided import Guided
from pastebox.runners.gunicorn_request import end_input, see_off
from pastebox.runners.gunicorn_worker import PROMISED_S

_HANDSHAKE_S = 0.05
_WARM_GRACE_S = 0.25
_HEADER_GRACE_S = 0.4
_LAST_ANSWER_S = 2.0
_TICK_S = 0.02
_COUNTED_S = 0.2
"""How long after the deadline the arbiter has counted what is still running."""


class _Server(StreamServer):  # type: ignore[misc]  # untyped here
    """A listener that leaves newcomers in the queue when the next generation is to have them."""

    worker: Green

    def do_read(self) -> Any:
        """Take a newcomer."""
        if self.worker.orders.held:
            self.stop_accepting()
            self.worker.wake()
            return None
        return super().do_read()


class Green(Guided, GeventWorker):  # type: ignore[misc]  # gunicorn ships no types
    """The ``gevent`` class."""

    worker_connections: int

    def init_process(self) -> None:
        """Prepare what the first signal needs."""
        # connections that wait for a request: since when, and whether it is the first
        self.waiting: dict[Any, tuple[float, bool]] = {}
        self._stopping: Any = None
        super().init_process()

    def handle_exit(self, number: int, frame: Any) -> None:
        """Begin to end, and wake the loop up."""
        super().handle_exit(number, frame)
        if self._stopping is not None:
            self._stopping.set()

    def wake(self) -> None:
        """Have the loop look around."""
        self._stopping.set()

    def run(self) -> None:
        """Serve until told to end; then serve those who wait, and let the others go."""
        self._stopping = Event()
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        servers = []
        for one in self.sockets:
            one.setblocking(True)
            pool = Pool(self.worker_connections)
            server = _Server(one, handle=partial(self.handle, one), spawn=pool, **tls)
            if self.cfg.workers > 1:
                server.max_accept = 1
            server.worker = self
            server.start()
            servers.append(server)
        while self.alive:
            self.notify()
            is_held = self.orders.held
            self._stopping.wait(_TICK_S if is_held else 1.0)
            self._stopping.clear()
            if is_held and not self.orders.held:
                for server in servers:
                    server.start_accepting()
        if self.takes_backlog:
            gevent.sleep(_HANDSHAKE_S)
        for server in servers:
            server.close()
        self.say("deaf")
        until = time.monotonic() + self.cfg.graceful_timeout + _COUNTED_S
        while any(len(server.pool) for server in servers) and time.monotonic() < until:
            self.notify()
            self._release()
            gevent.sleep(_TICK_S)
        for server in servers:
            server.stop(timeout=0)

    def _release(self) -> None:
        """Let go of connections that have not sent a request for long enough."""
        now = time.monotonic()
        for client, (since, is_first) in list(self.waiting.items()):
            if unacknowledged(client):  # it still reads an answer
                self.waiting[client] = (now, is_first)
            elif now - max(since, self.ending_since()) > self._grace(since, is_first=is_first):
                del self.waiting[client]
                end_input(client)

    def _grace(self, since: float, *, is_first: bool) -> float:
        if is_first:
            return _HEADER_GRACE_S
        return PROMISED_S if since > self.ending_since() else _WARM_GRACE_S

    def handle(self, listener: Any, client: Any, address: Any) -> None:
        """Serve a connection to its end, and while draining see it off."""
        self.waiting[client] = (time.monotonic(), True)
        held = client.dup() if not self.cfg.is_ssl else None
        try:
            super().handle(listener, client, address)
        finally:
            self.waiting.pop(client, None)
            if held is not None:
                if not self.alive:
                    see_off(held, self.orders.deadline or time.monotonic() + _LAST_ANSWER_S)
                held.close()

    def handle_request(self, listener_name: Any, request: Any, client: Any, address: Any) -> Any:
        """Run the application."""
        self.waiting.pop(client, None)
        try:
            return super().handle_request(listener_name, request, client, address)
        finally:
            self.waiting[client] = (time.monotonic(), False)


def green(worker_class: type) -> type:
    """Return our kind of gevent's class; its pywsgi variant has a server of its own."""
    if worker_class is GeventWorker:
        return Green
    return type(worker_class.__name__, (Guided, worker_class), {})
