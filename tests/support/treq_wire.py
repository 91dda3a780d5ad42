"""A case of gunicorn's suite on the wire: what comes back, and whether it is what was meant."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from typing import NamedTuple
from urllib.parse import unquote

from treq import Seen, TreqCase

PATIENCE_S = 20.0
SILENCE_S = 0.7
"""How long a server may be silent before the client says that it sends no more."""
_UNIMPORTANT = ("TRANSFER-ENCODING", "CONNECTION", "EXPECT", "TRAILER")
"""What a server may keep to itself: it belongs to the connection."""


class Came(NamedTuple):
    """What came back: the status and the body of each answer."""

    answers: tuple[tuple[int, bytes], ...]
    is_closed: bool

    @property
    def statuses(self) -> list[int]:
        return [status for status, _ in self.answers]


def send(port: int, case: TreqCase) -> Came:
    """Send a case on a connection of its own, and read all answers."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(case.data)
        received = b""
        is_half = is_closed = False
        while not _is_enough(received, case):
            connection.settimeout(PATIENCE_S if is_half or case.requests else SILENCE_S)
            try:
                part = connection.recv(65536)
            except TimeoutError:
                if is_half or case.requests:
                    break
                is_half = True
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                continue
            except OSError:
                part = b""
            received += part
            if not part:
                is_closed = True
                break
    return Came(tuple(_answers(received)), is_closed)


def _is_enough(received: bytes, case: TreqCase) -> bool:
    found = _answers(received)
    if case.requests:
        return len(found) >= len(case.requests)
    return bool(found) and found[-1][0] >= 400


def _answers(received: bytes) -> list[tuple[int, bytes]]:
    """Return the answers that are whole; all servers give a length to what is asked here."""
    found = []
    while True:
        head, end, rest = received.partition(b"\r\n\r\n")
        if not end or not head.startswith(b"HTTP/1."):
            return found
        status = int(head.split(None, 2)[1])
        length = re.search(rb"(?im)^content-length: *(\d+)\r?$", head)
        size = int(length[1]) if length else 0
        if status >= 400 and not length:
            size = len(rest)
        if len(rest) < size:
            return found
        if status >= 200:
            found.append((status, rest[:size]))
        received = rest[size:]


def judge(case: TreqCase, came: Came) -> str:
    """Return nothing where the outcome is what the suite expects, else what is different."""
    if not case.requests:
        accepted = sum(status < 400 for status in came.statuses)
        return f"accepted: {came.statuses}" if accepted and came.statuses[-1] < 400 else ""
    if len(came.answers) < len(case.requests) or max(came.statuses) >= 400:
        return f"answered {came.statuses or 'nothing'}"
    faults = [
        fault
        for (_, body), expected in zip(came.answers, case.requests, strict=False)
        for fault in _faults(json.loads(body or b"{}"), expected)
    ]
    return "; ".join(faults)


def _faults(given: dict, expected: Seen) -> list[str]:
    if not given:
        return ["no body in the answer"]
    environ = given["environ"]
    wanted = {
        "REQUEST_METHOD": expected.method,
        "PATH_INFO": unquote(expected.path, "latin-1"),
        "QUERY_STRING": expected.query,
    }
    faults = [
        f"{name} is {environ.get(name)!r}"
        for name, value in wanted.items()
        if environ.get(name, "") != value
    ]
    if given["body"] != expected.body:
        faults.append(f"the body is {given['body'][:40]!r}")
    return faults + _header_faults(environ, expected)


def _header_faults(environ: dict[str, str], expected: Seen) -> list[str]:
    wanted: dict[str, str] = {}
    for name, value in expected.headers:
        if name not in _UNIMPORTANT:
            variable = name.replace("-", "_")
            if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                variable = "HTTP_" + variable
            wanted[variable] = f"{wanted[variable]},{value}" if variable in wanted else value
    faults = [
        f"{name} is {environ.get(name)!r}"
        for name, value in wanted.items()
        if _plain(environ.get(name, "")) != _plain(value)
    ]
    hidden = {f"HTTP_{name.replace('-', '_')}" for name in _UNIMPORTANT} | {"HTTP_HOST"}
    more = {name for name in environ if name.startswith("HTTP_")} - set(wanted) - hidden
    return faults + [f"{name} is there" for name in sorted(more)]


def _plain(value: str) -> str:
    return re.sub(r"\s*,\s*", ",", value.strip())
