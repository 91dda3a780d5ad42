"""The end of a waitress worker: the backlog served, responses whole to the last byte, one deadline.

Why each step is there:

* Connections that wait in the accept queue are taken before the listener closes; closing resets
  them (Pylons/waitress#499 counts what is lost otherwise). The master keeps newcomers away; those
  whose handshake was under way need a round trip to get into the queue.
* A response is over when the peer's kernel has it. A container's network ends with its last
  process, and what is still in our send buffer ends with it. So a connection is shut down for
  writing first and closed when the peer closed, or when nothing is left unacknowledged.
* A keep-alive client that has just had an answer is likely to send its next request this
  moment; it is given a little time to do so and is told ``Connection: close``.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from pastebox.process.last_bytes import LINGER_S, unacknowledged, unread
from pastebox.process.stacks import stack_of, visible

if TYPE_CHECKING:
    from pastebox.runners.waitress_channel import Channel
    from pastebox.runners.waitress_loop import WaitressLoop

_HANDSHAKE_S = 0.05
"""How long a handshake that has begun may take."""
_MOST_ROUNDS = 64
"""Acceptances at a time are bounded: while a reload drains, newcomers never end."""
_WARM_S = 1.0
"""A connection that was active this recently is likely to send its next request now."""
_WARM_GRACE_S = 0.25
"""How long it gets, from the last answer that did not say ``close``."""
_PROMISED_S = 1.0
"""How long one gets whose answer has ended in the drain, and had begun before without ``close``."""
_HEADER_GRACE_S = 1.0
"""How long a request may take to become one: bytes before the end of a header are no request."""


class Drain:
    """The last phase of a worker's life."""

    tick_s = 0.02

    def __init__(self, loop: WaitressLoop, seconds: float) -> None:
        self._loop = loop
        self._began = time.monotonic()
        self._began_wall = time.time()
        self.deadline = self._began + seconds
        self.cut = 0
        self.is_over = False

    def hurry(self, seconds: float) -> None:
        """Move the deadline to ``seconds`` from now, if that is sooner."""
        self.deadline = min(self.deadline, time.monotonic() + seconds)

    def accept(self) -> None:
        """Take what waits to be accepted; close the listeners once nothing can follow.

        Where newcomers were held, the next generation is there and takes them.
        """
        if self._loop.is_held:
            self._close_listeners()
            return
        for listener in self._loop.listeners:
            for _ in range(_MOST_ROUNDS):
                before = len(self._loop.channels)
                listener.handle_accept()
                if len(self._loop.channels) == before:
                    break
        if time.monotonic() - self._began >= _HANDSHAKE_S:
            self._close_listeners()

    def _close_listeners(self) -> None:
        for listener in self._loop.listeners:
            if not self._loop.is_accepting:
                self._loop.register_new(listener._fileno, listener)  # noqa: SLF001  # waitress's name
            listener.close()
        self._loop.is_accepting = True
        self._loop.listeners = []
        self._loop.context.notify.send(STOPPING=1)

    def tick(self) -> None:
        """Look at every connection once; close those that owe nobody anything."""
        if self._loop.listeners:
            self.accept()
        now = time.monotonic()
        is_late = now >= self.deadline
        for channel in list(self._loop.channels.values()):
            if channel.lingers_until:
                linger(channel)
                if is_late and channel.connected:
                    self._cut(channel)
            elif is_late:
                self._cut(channel)
            elif self._may_close(channel, now - self._began):
                channel.close_now()
        if is_late or not (self._loop.channels or self._loop.listeners):
            self.is_over = True

    def _may_close(self, channel: Channel, elapsed: float) -> bool:
        if channel.requests or channel.total_outbufs_len or channel.close_when_flushed:
            return False
        if channel.request is not None:  # something has come, but not a whole request
            return not channel.request.headers_finished and elapsed > _HEADER_GRACE_S
        if unacknowledged(channel.socket) or unread(channel.socket):
            # The next request has come since the poller was asked; or an answer in our kernel's
            # buffer is not read yet, and what follows it can be seconds away.
            channel.last_activity = time.time()
            return False
        if self._began_wall - channel.last_activity >= _WARM_S:
            return True
        if channel.last_activity > self._began_wall:
            return time.time() - channel.last_activity > _PROMISED_S
        return elapsed > _WARM_GRACE_S

    def _cut(self, channel: Channel) -> None:
        """Give up on a connection at the deadline; count it if a request is lost by that."""
        unsent = channel.total_outbufs_len + unacknowledged(channel.socket)
        if channel.requests or unsent:
            self.cut += 1
            running = channel.running
            channel.logger.warning(
                "request cut off by the drain deadline %s unsent=%d%s",
                running.told(time.monotonic()) if running else f"path={_path_of(channel)}",
                unsent,
                f"\n{stack_of(running.thread)}" if running else "",
            )
        elif channel.request is not None and channel.request.headers_finished:
            self.cut += 1
            channel.logger.warning(
                "upload cut off by the drain deadline path=%s", visible(channel.request.path)
            )


def drain_within(loop: WaitressLoop, channel: Channel) -> bool:
    """Shut a finished connection down for writing and let it linger; false if it is gone."""
    if channel.lingers_until:
        return False
    try:
        channel.socket.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    channel.lingers_until = time.monotonic() + LINGER_S
    if not channel.is_armed:
        channel.is_armed = True
        loop.rearm(channel)
    return True


def linger(channel: Channel) -> None:
    """Throw away what a lingering peer still sends; close when it closed or has everything."""
    is_open = True
    try:
        while is_open:
            is_open = bool(channel.socket.recv(65536))
    except BlockingIOError:
        pass
    except OSError:
        is_open = False
    if is_open and (time.monotonic() < channel.lingers_until or unacknowledged(channel.socket)):
        return
    channel.close_now()


def _path_of(channel: Channel) -> str:
    return visible(str(channel.requests[0].path)) if channel.requests else "-"
