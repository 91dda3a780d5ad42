"""What a health check found, in the words that tell a dead server from a busy one."""

from __future__ import annotations


class ProbeResult:
    """The outcome of one request.

    Attributes:
        ok: whether the answer was a good one.
        reason: ``ok``, or what was found: ``dead: …`` when nothing listens, ``busy: …`` when the
            listener took the connection and no answer came in time, or the server says that it
            has no room now, ``status 503 …``, ``protocol: …`` when the answer was none.
        status: the status code, 0 without an answer.
        seconds: how long it took.
        body: the first bytes of the answer.
    """

    __slots__ = ("body", "ok", "reason", "seconds", "status")

    def __init__(
        self, *, ok: bool, reason: str, status: int = 0, seconds: float = 0.0, body: bytes = b""
    ) -> None:
        self.ok = ok
        self.reason = reason
        self.status = status
        self.seconds = seconds
        self.body = body


def is_good(status: int) -> bool:
    """Say whether a status means that requests are served: 2xx or 3xx."""
    return 200 <= status < 400  # noqa: PLR2004  # the classes themselves


def answered(status: int, reason: str, body: bytes, seconds: float) -> ProbeResult:
    """Judge an answer."""
    ok = is_good(status)
    text = "ok" if ok else f"status {status} {reason}".rstrip()
    return ProbeResult(ok=ok, reason=text, status=status, seconds=seconds, body=body)


def dead(place: str, error: OSError, seconds: float = 0.0) -> ProbeResult:
    """Say that the connection failed."""
    why = (error.strerror or str(error)).lower()
    return ProbeResult(ok=False, reason=f"dead: {place}: {why}", seconds=seconds)


def hung_up(place: str, error: OSError, seconds: float) -> ProbeResult:
    """Say that a connection was made and then broken: something listens, so it is not dead."""
    why = (error.strerror or str(error)).lower()
    return ProbeResult(ok=False, reason=f"protocol: {place}: {why}", seconds=seconds)


def busy(place: str, *, is_connected: bool, seconds: float) -> ProbeResult:
    """Say that there was no answer in time, and how far it came."""
    what = "connected, but no answer" if is_connected else "the backlog is full, no connection"
    return ProbeResult(
        ok=False, reason=f"busy: {place}: {what} within {seconds:.1f} s", seconds=seconds
    )


def declined(place: str, error: Exception, seconds: float) -> ProbeResult:
    """Say that the server itself says that it has no room now: busy, not dead."""
    return ProbeResult(ok=False, reason=f"busy: {place}: {error}", seconds=seconds)


def broken(place: str, error: Exception, seconds: float) -> ProbeResult:
    """Say that the answer was not one."""
    return ProbeResult(ok=False, reason=f"protocol: {place}: {error}", seconds=seconds)
