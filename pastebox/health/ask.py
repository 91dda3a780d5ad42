"""Ask once and wait for the answer: the client of ``pastebox health``."""

from __future__ import annotations

import _socket as socket  # the module around it costs 27 ms of CPU (enum, selectors), every 10 s
import errno
import time

from pastebox.health.http import BusyError, ProtocolError
from pastebox.health.protocol import HTTP
from pastebox.health.result import ProbeResult, answered, broken, busy, dead, declined, hung_up

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from typing import Any

    from pastebox.health.http import Response
    from pastebox.health.protocol import Exchange, Protocol
    from pastebox.health.target import Target


def probe_once(
    target: Target,
    path: str,
    timeout_s: float,
    headers: tuple[tuple[str, str], ...] = (),
    protocol: Protocol = HTTP,
) -> ProbeResult:
    """Request ``path`` and judge the answer; the whole takes ``timeout_s`` at most.

    Raises:
        ValueError: ``path`` or the host cannot be written in a request.
    """
    exchange = protocol.start(target, path, headers)
    began = time.monotonic()
    until = began + timeout_s
    sock: socket.socket | None = None
    try:
        sock = _connect(target, until)
        response = _exchange(sock, exchange, until)
    except TimeoutError:
        return busy(str(target), is_connected=sock is not None, seconds=timeout_s)
    except BusyError as error:
        return declined(str(target), error, time.monotonic() - began)
    except ProtocolError as error:
        return broken(str(target), error, time.monotonic() - began)
    except OSError as error:
        return _judge(error, target, time.monotonic() - began, is_connected=sock is not None)
    finally:
        if sock is not None:
            sock.close()
    seconds = time.monotonic() - began
    return answered(response.status, response.reason, response.body, seconds)


def _judge(error: OSError, target: Target, seconds: float, *, is_connected: bool) -> ProbeResult:
    if is_connected:
        return hung_up(str(target), error, seconds)
    if error.errno == errno.EAGAIN:  # a unix socket whose backlog is full
        return busy(str(target), is_connected=False, seconds=seconds)
    return dead(str(target), error, seconds)


def _connect(target: Target, until: float) -> socket.socket:
    """Connect to the first of the target's addresses that takes it."""
    if target.path:
        return _open(socket.AF_UNIX, target.path, until)
    failure = OSError(errno.EADDRNOTAVAIL, "no address")
    # As bytes: a text would bring in the idna codec, which costs more than all of this.
    host = target.host.encode("ascii")
    for found in socket.getaddrinfo(host, target.port, type=socket.SOCK_STREAM):
        try:
            return _open(found[0], found[4], until)
        except TimeoutError:
            raise
        except OSError as error:
            failure = error
    raise failure


def _open(family: int, address: str | tuple[Any, ...], until: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        _limit(sock, until)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _exchange(sock: socket.socket, exchange: Exchange, until: float) -> Response:
    """Send and receive until there is a response."""
    while True:
        _limit(sock, until)
        data = exchange.to_send()
        if data:
            sock.sendall(data)
            _limit(sock, until)
        response = exchange.feed(sock.recv(65536))
        if response is not None:
            return response


def _limit(sock: socket.socket, until: float) -> None:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    sock.settimeout(left)
