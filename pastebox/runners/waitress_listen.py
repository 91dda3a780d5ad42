"""The two ends of a waitress worker: sockets that take connections, threads that serve them."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from waitress.server import TcpWSGIServer, UnixWSGIServer

from pastebox.runners.threaded_pool import Pool
from pastebox.runners.waitress_channel import Channel

if TYPE_CHECKING:
    from pastebox.runners.waitress_loop import WaitressLoop

_ACCEPTED_AT_ONCE = 32
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class TaskPool(Pool[Channel]):
    """Threads that serve channels in the order in which their requests were complete."""

    def __init__(self, threads: int) -> None:
        super().__init__(_serve, threads, name="waitress")
        self.add_task = self.add  # as waitress calls it


def _serve(channel: Channel) -> None:
    try:
        channel.service()
    except BaseException:  # the connection has to go, whatever one request does to its thread
        channel.logger.exception("defect while serving")
        channel.will_close = True
        channel.loop.wake(channel)


class _Listening:
    """What both kinds of listening socket share: acceptance in batches, within the limit."""

    channel_class = Channel
    loop: WaitressLoop

    def handle_accept(self) -> None:
        for number in range(_ACCEPTED_AT_ONCE):
            # Only a newcomer may cost anybody his place, so a full house asks the poller first.
            if (number and self.loop.is_full) or not self.loop.has_room():
                return
            before = len(self.loop.channels)
            super().handle_accept()  # type: ignore[misc]  # waitress's, beside this class
            if len(self.loop.channels) == before:
                return

    def accept(self) -> Any:
        try:
            return super().accept()  # type: ignore[misc]  # waitress's, beside this class
        except OSError as error:
            if error.errno not in _NO_DESCRIPTORS or self.loop.drain is not None:
                raise
            # The listener stays readable: without a pause this would be a busy loop.
            self.loop.evict_idle()
            self.loop.pause_accepting("out of resources", error=error.strerror)
            return None

    def pull_trigger(self) -> None:
        self.loop.wake(None)


class TcpListener(_Listening, TcpWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """A TCP socket that the master has bound."""


class UnixListener(_Listening, UnixWSGIServer):  # type: ignore[misc]  # waitress ships no types
    """A Unix socket that the master has bound."""


class PolledMap(dict[int, Any]):
    """waitress's map of descriptors, whose changes go to the poller."""

    def __init__(self, loop: WaitressLoop) -> None:
        super().__init__()
        self._loop = loop

    def __setitem__(self, descriptor: int, it: Any) -> None:
        super().__setitem__(descriptor, it)
        self._loop.register_new(descriptor, it)

    def __delitem__(self, descriptor: int) -> None:
        it = self[descriptor]
        super().__delitem__(descriptor)
        self._loop.unregister(descriptor, it)
