"""What a worker is told to do, and how it travels: one message over the worker's orders socket.

A worker is forked blank, before anybody knows what it will serve, so that it imports PasteDeploy
and the server while the master reads the configuration. The job follows with the listening
sockets (``SCM_RIGHTS``) when it is known.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pastebox.config.model import AppSource, ServerSpec

_LENGTH = struct.Struct("!I")
_MOST_SOCKETS = 64


class Job(NamedTuple):
    """Everything that a worker needs, as values.

    Attributes:
        runner: ``module:attribute`` of the runner.
        source: the recipe of the application.
        spec: the server's options.
        environ: the environment of the application.
        notify_address: where READY and the rest are sent.
        slot: the worker's slot in the counters.
        generation: the generation it belongs to.
        workers: how many processes serve the same sockets.
        drain_timeout_s: how long a drain may take when the master is gone.
        access_log: name of the access-log format, or ``off``.
        log_format: name of the log format.
        log_level: the least level shown.
        has_loggers: whether the INI configures logging.
        cpu: which of the CPUs that it may use is its own, counted around; ``None`` for all.
        request_limit: requests after which it says that it is to be replaced; 0 for never.
        stuck_after_s: how long a request may run before it is reported; 0 for ever.
    """

    runner: str
    source: AppSource
    spec: ServerSpec
    environ: Mapping[str, str]
    notify_address: str
    slot: int
    generation: int
    workers: int
    drain_timeout_s: float
    access_log: str
    log_format: str
    log_level: str
    has_loggers: bool
    cpu: int | None
    request_limit: int
    stuck_after_s: float


def send_job(
    orders: socket.socket, job: Job, counters: int, sockets: Sequence[socket.socket]
) -> None:
    """Send a job with the descriptor of the counters and the listening sockets."""
    import pickle  # noqa: PLC0415  # not before there is a job

    data = pickle.dumps(job)  # from us to our own child
    descriptors = [counters, *(one.fileno() for one in sockets)]
    header = _LENGTH.pack(len(data))
    socket.send_fds(orders, [header], descriptors)
    orders.sendall(data)


def receive_job(orders: socket.socket) -> tuple[Job, int, list[socket.socket]] | None:
    """Wait for the job; ``None`` when there will be none, because the master has ended."""
    header, descriptors, _, _ = socket.recv_fds(orders, _LENGTH.size, _MOST_SOCKETS)
    if len(header) < _LENGTH.size:
        return None
    left = _LENGTH.unpack(header)[0]
    parts = []
    while left:
        part = orders.recv(min(left, 1 << 16))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    import pickle  # noqa: PLC0415  # as above

    job: Job = pickle.loads(b"".join(parts))  # noqa: S301  # from our own parent, over its socketpair
    counters, *listening = descriptors
    return job, counters, [socket.socket(fileno=number) for number in listening]
