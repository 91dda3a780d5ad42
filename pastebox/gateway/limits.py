"""What a peer may ask of the server before it is turned away."""

import resource
from typing import NamedTuple

HEAD = 1 << 17
"""Bytes of all parameters of one request; front ends stop at a quarter of it."""
PARAMETERS = 1000
"""How many parameters one request may have."""
REQUESTS_PER_CONNECTION = 256
"""Requests that one multiplexed connection may have open at a time."""
BODY_IN_MEMORY = 512 << 10
"""A longer body is kept in a temporary file."""
_DESCRIPTORS_KEPT = 200
"""Descriptors left to the application: files, database connections, its own clients."""


class Limits(NamedTuple):
    """Bounds of one server.

    Attributes:
        min_threads: threads that are there from the beginning.
        spare_threads: idle threads that are kept.
        max_threads: the most there may be; a request that finds none free waits. With 0 the
            application runs in the I/O thread, one request at a time.
        connections: the most connections; idle ones make room for newcomers.
        patience_s: how long a peer may be silent in the middle of a request or an answer.
    """

    min_threads: int = 1
    spare_threads: int = 5
    max_threads: int = 1000
    connections: int = 10_000
    patience_s: float = 120.0


def connection_limit() -> int:
    """Return how many connections the descriptors of this process allow."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 10_000
    return max(100, min(10_000, soft - _DESCRIPTORS_KEPT))
