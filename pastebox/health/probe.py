"""Ask the application on the master's loop, for ``/readyz``: one request at a time, shared."""

import errno
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pastebox.health.ask import probe_once
from pastebox.health.http import BusyError, ProtocolError
from pastebox.health.protocol import HTTP, Protocol
from pastebox.health.result import ProbeResult, answered, broken, busy, dead, declined, hung_up
from pastebox.health.target import Target
from pastebox.process.loop import Callback, Loop, Timer

if TYPE_CHECKING:
    from pastebox.health.protocol import Exchange

__all__ = ["Probe", "ProbeResult", "probe_once"]

Then = Callable[[ProbeResult], None]

_IN_PROGRESS = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)
_log = logging.getLogger(__name__)


class Probe:
    """A request that never blocks; those who ask while it runs, or just after, share its result.

    Args:
        loop: the master's.
        target: the server's address; a name is looked up now, once.
        path: what to request.
        protocol: what the server speaks.
        headers: more of them, names and values.
        timeout_s: for the whole of it.
        keep_s: how long a result is good for others.

    Raises:
        ValueError: ``path`` cannot be requested.
        OSError: the host cannot be looked up.
    """

    def __init__(
        self,
        loop: Loop,
        target: Target,
        path: str,
        *,
        protocol: Protocol = HTTP,
        headers: tuple[tuple[str, str], ...] = (),
        timeout_s: float = 1.5,
        keep_s: float = 1.0,
    ) -> None:
        self._loop = loop
        self._address = _resolve(target)
        self._start = partial(protocol.start, target, path, headers)
        self._start()  # what cannot be requested is refused here
        self._timeout_s = timeout_s
        self._keep_s = keep_s
        self._waiting: list[Then] = []
        self._kept: tuple[float, ProbeResult] | None = None
        self._attempt: _Attempt | None = None

    def ask(self, then: Then) -> None:
        """Call ``then`` with a result, at once where a fresh one is known."""
        if self._kept is not None and self._loop.clock() < self._kept[0]:
            then(self._kept[1])
            return
        self._waiting.append(then)
        if self._attempt is None:
            self._attempt = _Attempt(
                self._loop, self._address, self._start(), self._timeout_s, self._finished
            )
            self._attempt.start()

    def close(self) -> None:
        """Give up a running request; those who wait get no answer."""
        self._waiting.clear()
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None

    def close_in_child(self) -> None:
        """Give the descriptor back in a forked process, without touching the shared loop."""
        self._waiting.clear()
        if self._attempt is not None:
            self._attempt.close_in_child()
            self._attempt = None

    def _finished(self, result: ProbeResult) -> None:
        self._attempt = None
        self._kept = (self._loop.clock() + self._keep_s, result)
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            try:
                then(result)
            except Exception:  # noqa: BLE001  # a boundary: the master must go on
                _log.exception("the receiver of a probe's result failed")


class _Address(NamedTuple):
    """A target, looked up."""

    family: int
    sockaddr: str | tuple[Any, ...]
    place: str


def _resolve(target: Target) -> _Address:
    if target.path:
        return _Address(socket.AF_UNIX, target.path, str(target))
    # As bytes: a text would bring in the idna codec.
    host = target.host.encode("ascii")
    found = socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM)[0]
    return _Address(found[0], found[4], str(target))


class _Attempt:
    """One request on the loop."""

    def __init__(
        self, loop: Loop, address: _Address, exchange: "Exchange", timeout_s: float, finished: Then
    ) -> None:
        self._loop = loop
        self._address = address
        self._place = address.place
        self._exchange = exchange
        self._left = memoryview(b"")
        self._timeout_s = timeout_s
        self._finished = finished
        self._began = loop.clock()
        self._is_connected = False
        self._sock: socket.socket | None = None
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to connect; a failure that is known at once is reported at once."""
        self._timer = self._loop.call_later(self._timeout_s, self._guard(self._expire))
        self._guard(self._connect)()

    def close(self) -> None:
        """Give everything back; twice is harmless."""
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def close_in_child(self) -> None:
        """Close the descriptor only."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _guard(self, callback: Callback) -> Callback:
        """Turn whatever goes wrong into a result."""

        def guarded() -> None:
            try:
                callback()
            except BusyError as error:
                self._end(declined(self._place, error, self._seconds))
            except ProtocolError as error:
                self._end(broken(self._place, error, self._seconds))
            except OSError as error:
                judge = hung_up if self._is_connected else dead
                self._end(judge(self._place, error, self._seconds))
            except Exception as error:  # noqa: BLE001  # a boundary: the master must go on
                _log.exception("readiness probe failed")
                self._end(broken(self._place, error, self._seconds))

        return guarded

    @property
    def _seconds(self) -> float:
        return self._loop.clock() - self._began

    def _end(self, result: ProbeResult) -> None:
        if self._timer is not None:
            self.close()
            self._timer = None
            self._finished(result)

    def _expire(self) -> None:
        self._end(busy(self._place, is_connected=self._is_connected, seconds=self._timeout_s))

    def _connect(self) -> None:
        family, sockaddr, _ = self._address
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.setblocking(False)
        number = self._sock.connect_ex(sockaddr)
        if family == socket.AF_UNIX and number == errno.EAGAIN:
            self._end(busy(self._place, is_connected=False, seconds=self._seconds))
            return
        if number not in _IN_PROGRESS:
            raise OSError(number, os.strerror(number))
        self._loop.on_writable(self._sock.fileno(), self._guard(self._send))

    def _send(self) -> None:
        sock = self._sock
        if sock is None:
            return
        if not self._is_connected:
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
            self._is_connected = True
            self._left = memoryview(self._exchange.to_send())
        try:
            self._left = self._left[sock.send(self._left) :]
        except BlockingIOError:
            return
        if not self._left:
            self._loop.on_writable(sock.fileno(), None)
            self._loop.on_readable(sock.fileno(), self._guard(self._receive))

    def _receive(self) -> None:
        if self._sock is None:
            return
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        response = self._exchange.feed(data)
        if response is not None:
            self._end(answered(response.status, response.reason, response.body, self._seconds))
            return
        self._left = memoryview(self._exchange.to_send())
        if self._left:
            self._loop.on_readable(self._sock.fileno(), None)
            self._loop.on_writable(self._sock.fileno(), self._guard(self._send))
