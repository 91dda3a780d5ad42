"""The I/O loop of the waitress runner: work in proportion to what happens, not to who is connected.

waitress asks every connection before every wait whether it wants to read or write. Here a
connection is registered once, stays armed for input, and is looked at again only after an event
of its own or when the thread that serves it says so; a thousand idle connections cost nothing.

Only the thread that runs the loop touches the poller, the map and the sockets' life; task threads
run the application, send what it wrote, and call :meth:`WaitressLoop.wake`.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from waitress import wasyncore

from pastebox.config.model import WSGIApp
from pastebox.gateway.sparing import Sparing
from pastebox.observe.access import AccessRecord
from pastebox.process.signals import pipe
from pastebox.process.stacks import Running
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.context import WorkerContext
from pastebox.runners.obedience import Orders
from pastebox.runners.waitress_channel import Channel
from pastebox.runners.waitress_drain import Drain, drain_within, linger
from pastebox.runners.waitress_listen import PolledMap, TaskPool, TcpListener, UnixListener
from pastebox.runners.watch import watch

_IN, _OUT, _GONE = 1, 4, 8 | 16  # POLLIN, POLLOUT, POLLERR | POLLHUP: the same for poll and epoll
_HEARTBEAT_S = 5.0
_EVICTABLE_S = 1.0
"""A connection that was active, or made, this recently is likely to have a request under way."""
_COMPLAINT_S = 10.0
"""How often the same lack of room is logged."""
_LOG_DELAY_S = 0.1
"""Longest time a line of the access log waits for company."""


class WaitressLoop:
    """Everything of one worker: poller, listeners, connections, threads, orders."""

    def __init__(
        self,
        app: WSGIApp,
        adj: Any,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
        *,
        is_multiprocess: bool,
    ) -> None:
        self.adj = adj
        self.context = context
        self.counters = context.counters
        self.is_multiprocess = is_multiprocess
        self.lame = False
        self.complaints = Sparing(logging.getLogger("waitress"))
        self.drain: Drain | None = None
        self.channels: dict[int, Channel] = {}
        self.in_service: set[Channel] = set()
        self._poller: Any = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._poll_unit = 1 if hasattr(select, "epoll") else 1000
        self._newcomers: set[int] = set()  # descriptors that are younger than the events at hand
        self._map = PolledMap(self)
        self._changed: deque[Channel] = deque()
        self.lines = AccessLines(context.access) if context.access is not None else None
        self._wake_read, self._wake_write = pipe()
        self._is_woken = False
        self._sleeps_long = False
        self._orders = Orders(context, self)
        self._next_maintenance = self._next_heartbeat = 0.0
        self._accepts_again_at = self._complains_again_at = 0.0
        self.is_accepting, self.is_held = True, False
        self._pool = TaskPool(adj.threads)
        self.listeners = [self._listener(app, sock) for sock in sockets]
        self._poller.register(self._wake_read, _IN)
        self._poller.register(self._orders.fileno(), _IN)

    def _listener(self, app: WSGIApp, sock: socket.socket) -> Any:
        base: Any = UnixListener if sock.family == socket.AF_UNIX else TcpListener
        kind = type(base.__name__, (base,), {"loop": self})  # needed before __init__ is through
        listener = kind(
            app,
            map=self._map,
            _sock=sock,
            dispatcher=self._pool,
            adj=self.adj,
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )
        listener.active_channels = self.channels
        return listener

    # -- what other threads may call ---------------------------------------------------------

    def wake(self, channel: Channel | None) -> None:
        """Have the I/O thread look at ``channel`` (and at all in service) again."""
        if channel is not None:
            self._changed.append(channel)
        if not self._is_woken:
            self._is_woken = True
            os.write(self._wake_write, b"x")

    def running(self) -> list[Running]:
        """Return the requests that threads work on."""
        return [one for channel in list(self.in_service) if (one := channel.running) is not None]

    def log(self, record: AccessRecord) -> None:
        """Queue a line of the access log; the I/O thread writes them together."""
        if self.lines is not None:
            self.lines.add(record)
        if self._sleeps_long:
            self.wake(None)

    # -- the I/O thread ------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until drained; return the number of requests that the deadline cut off."""
        watch(self.context, self.running, self.adj.threads)
        while self.drain is None or not self.drain.is_over:
            self._step()
        if self.lines is not None:
            self.lines.write()
        return self.drain.cut

    def _step(self) -> None:
        is_quiet = not self.lines and not self.in_service
        timeout = self._timeout() if is_quiet else min(_LOG_DELAY_S, self._timeout())
        self._sleeps_long = is_quiet
        if is_quiet and self.lines:  # one came in between: its thread may not have woken us
            timeout = _LOG_DELAY_S
        events = self._poller.poll(self._pool.timeout(timeout) * self._poll_unit)
        self._sleeps_long = False
        self._newcomers.clear()
        for descriptor, event in events:
            # A number that was given to a newcomer a moment ago: the event is its predecessor's.
            if descriptor not in self._newcomers:
                self._dispatch(descriptor, event)
        self._pool.hand_over()
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + _HEARTBEAT_S
            self.context.notify.send(WATCHDOG=1)
        if now >= self._next_maintenance:
            self._next_maintenance = now + self.adj.cleanup_interval
            self._close_inactive()
        if not self.is_accepting and self.drain is None and now >= self._accepts_again_at:
            self._accept_again()
        if self.drain is not None:
            self.drain.tick()
        if self.lines:
            self.lines.write()

    def _timeout(self) -> float:
        if self.drain is not None:
            return self.drain.tick_s
        if not self.is_accepting:
            return 0.1
        now = time.monotonic()
        return max(0.0, min(self._next_heartbeat, self._next_maintenance) - now)

    def _dispatch(self, descriptor: int, event: int) -> None:
        if descriptor == self._wake_read:
            # Read, lower the flag, look: a wake before the flag is down has its channel in the
            # queue already, one after it writes a byte of its own. In any other order a byte can
            # be read whose flag stays up, and no later wake would arrive.
            os.read(descriptor, 64)
            self._is_woken = False
            for channel in list(self.in_service):
                self.review(channel)
            while self._changed:
                self.review(self._changed.popleft())
        elif descriptor == self._orders.fileno():
            self._take_orders()
        else:
            it = self._map.get(descriptor)
            if isinstance(it, Channel):
                self._channel_event(it, event)
            elif it is not None:
                wasyncore.read(it)

    def _channel_event(self, channel: Channel, event: int) -> None:
        if channel.lingers_until:
            linger(channel)
            return
        if event & (_IN | _GONE):
            if channel.readable():
                wasyncore.read(channel)
            elif event & _GONE:
                # What is left to send has nobody to receive it, and a thread that waits for
                # room in the buffers must be told.
                channel.close_now()
                return
            else:
                self._disarm(channel)
        if event & _OUT and channel.is_registered:
            wasyncore.write(channel)
        self.review(channel)

    def review(self, channel: Channel) -> None:
        """Bring the poller's view of a channel up to date, and close it when it wants that."""
        if channel._fileno not in self._map or channel.lingers_until:  # noqa: SLF001  # waitress's name
            return
        if channel.will_close or (channel.close_when_flushed and not channel.total_outbufs_len):
            wasyncore.write(channel)
            return
        if not channel.is_armed and channel.readable():
            channel.is_armed = True
            self._register(channel)
        elif bool(channel.total_outbufs_len) != channel.wants_output:
            self._register(channel)

    def _register(self, channel: Channel) -> None:
        channel.wants_output = bool(channel.total_outbufs_len)
        events = (_IN if channel.is_armed else 0) | (_OUT if channel.wants_output else 0)
        if channel.is_registered:
            self._poller.modify(channel._fileno, events)  # noqa: SLF001  # waitress's name
        else:
            self._poller.register(channel._fileno, events)  # noqa: SLF001  # waitress's name
            channel.is_registered = True

    def _disarm(self, channel: Channel) -> None:
        """Stop reporting input that nobody wants yet.

        The flag goes down before the poller is told and the channel is asked once more after:
        its thread either sees the flag and wakes us, or has finished and is seen here.
        """
        channel.is_armed = False
        self._register(channel)
        if channel.readable():
            self.review(channel)

    def linger(self, channel: Channel) -> bool:
        """Let a finished connection's last bytes arrive before it closes; only while lame."""
        return self.lame and drain_within(self, channel)

    def rearm(self, channel: Channel) -> None:
        """Have the poller report a channel's input again."""
        self._register(channel)

    def register_new(self, descriptor: int, it: Any) -> None:
        """Take a descriptor that waitress adds to its map."""
        self._poller.register(descriptor, _IN)
        self._newcomers.add(descriptor)
        if isinstance(it, Channel):
            it.is_registered = True

    def unregister(self, descriptor: int, it: Any) -> None:
        """Forget a descriptor that waitress removes from its map."""
        if not isinstance(it, Channel) or it.is_registered:
            self._poller.unregister(descriptor)
        if isinstance(it, Channel):
            it.is_registered = False

    # -- acceptance ----------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether the connection limit is reached; a drain takes everybody who waits."""
        return self.drain is None and len(self.channels) >= self.adj.connection_limit

    def has_room(self) -> bool:
        """Whether one more connection fits; at the limit the longest idle ones make room."""
        if not self.is_full or self.evict_idle():
            return True
        self.pause_accepting("all connections are busy", limit=self.adj.connection_limit)
        return False

    def evict_idle(self) -> bool:
        """Close the connections that have been idle longest; false if none is idle."""
        idle = self._evictable()
        idle.sort(key=lambda channel: channel.last_activity)
        for channel in idle[: max(1, self.adj.connection_limit // 50)]:
            channel.will_close = True
            self.review(channel)
        return bool(idle)

    def _evictable(self) -> list[Channel]:
        """Return connections that are idle, and not for this moment only."""
        before = time.time() - _EVICTABLE_S
        everybody = self.channels.values()
        return [one for one in everybody if one.is_idle and one.last_activity < before]

    def pause_accepting(self, reason: str, **facts: object) -> None:
        """Leave newcomers in the kernel's queue for a moment."""
        now = time.monotonic()
        self._accepts_again_at = now + 0.1
        if self._stop_accepting() and now >= self._complains_again_at:
            self._complains_again_at = now + _COMPLAINT_S
            told = " ".join(f"{name}={value}" for name, value in facts.items())
            self.listeners[0].logger.warning("not accepting: %s %s", reason, told)

    def _stop_accepting(self) -> bool:
        """Leave newcomers in the kernel's queue; false if they are left there already."""
        was_accepting, self.is_accepting = self.is_accepting, False
        for listener in self.listeners if was_accepting else ():
            self._poller.unregister(listener._fileno)  # noqa: SLF001  # waitress's name
        return was_accepting

    def hold(self, *, is_held: bool) -> None:
        """Leave newcomers to the next generation, and close what was opened ahead of a request."""
        self.is_held = is_held and self.drain is None
        if self.is_held:
            self._stop_accepting()
            for channel in self._evictable():
                channel.will_close = True
                self.review(channel)

    def _accept_again(self) -> None:
        if self.is_held:
            return
        if self.is_full and not self._evictable():
            self._accepts_again_at = time.monotonic() + 0.1
            return
        self.is_accepting = True
        for listener in self.listeners:
            self._poller.register(listener._fileno, _IN)  # noqa: SLF001  # waitress's name

    def _close_inactive(self) -> None:
        before = time.time() - self.adj.channel_timeout
        for channel in list(self.channels.values()):
            if not channel.requests and channel.last_activity < before:
                channel.will_close = True
                self.review(channel)

    # -- orders and log ------------------------------------------------------------------------

    def _take_orders(self) -> None:
        if not self._orders.take():  # the master is gone
            self._poller.unregister(self._orders.fileno())

    def become_lame(self) -> None:
        """Say ``Connection: close`` from now on."""
        self.lame = True

    def start_drain(self, seconds: float) -> None:
        """Stop accepting and end within ``seconds``; a second call can only make it sooner."""
        self.lame = True
        if self.drain is None:
            self.drain = Drain(self, seconds)
            self.drain.accept()
        else:
            self.drain.hurry(seconds)
