"""Wait until other services answer: ``tcp://host:port``, ``unix:///path``, ``http://…``."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, urlsplit

from pastebox.errors import ConfigError, UnavailableError
from pastebox.process.deadline import Deadline

PROGRESS_S = 10.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0
_ONE_TRY_S = 5.0
_EXPECTED = "tcp://HOST:PORT, unix:///PATH, http://... or https://..."

Report = Callable[[str, str], None]


def wait_for(addresses: Sequence[str], deadline: Deadline, report: Report) -> None:
    """Return when every address has answered once.

    An HTTP address answers with any status below 500.

    Raises:
        UnavailableError: the deadline passed; the message has each address with its last error.
        ConfigError: an address is of an unknown kind.
    """
    pending = {address: _prober(address) for address in addresses}
    last: dict[str, str] = {}
    pause = _FIRST_PAUSE_S
    next_word = Deadline.after(PROGRESS_S, deadline.clock)
    while True:
        for address in list(pending):
            try:
                pending[address](max(0.001, min(_ONE_TRY_S, deadline.remaining)))
            except OSError as error:
                last[address] = error.strerror or str(error) or type(error).__name__
            else:
                del pending[address]
                report("wait-for", f"answers address={address}")
        if not pending:
            return
        if deadline.has_passed:
            listed = ", ".join(f"{address} ({last[address]})" for address in pending)
            raise UnavailableError(
                f"no answer in time from {listed}",
                hint="PASTEBOX_WAIT_TIMEOUT says how long to wait",
            )
        if next_word.has_passed:
            next_word = Deadline.after(PROGRESS_S, deadline.clock)
            report("wait-for", f"no answer yet address={','.join(pending)}")
        time.sleep(min(pause, deadline.remaining))
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _prober(address: str) -> Callable[[float], None]:
    """Return what tries once, with a time limit in seconds, and raises ``OSError``."""
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme == "tcp" and parts.hostname and port:
        host, number = parts.hostname, port
        return lambda limit: socket.create_connection((host, number), limit).close()
    if parts.scheme == "unix" and parts.path:
        return lambda limit: _connect_unix(parts.path, limit)
    if parts.scheme in ("http", "https") and parts.hostname:
        return lambda limit: _ask_http(parts, limit)
    raise ConfigError(option="PASTEBOX_WAIT_FOR", found=f'"{address}"', expected=_EXPECTED)


def _connect_unix(path: str, limit: float) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(limit)
        one.connect(path)


def _ask_http(parts: SplitResult, limit: float) -> None:
    from http import client  # noqa: PLC0415  # rare, and dear to import

    kind = client.HTTPSConnection if parts.scheme == "https" else client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=limit)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        status = connection.getresponse().status
    except client.HTTPException as error:
        raise OSError(f"no HTTP answer: {type(error).__name__}") from error
    finally:
        connection.close()
    if status >= 500:  # noqa: PLR2004  # server errors begin here
        raise OSError(f"HTTP status {status}")
