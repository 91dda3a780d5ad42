"""How a gateway is to serve, and who is told what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from pastebox.gateway.request import Host, Wire


class Finished(NamedTuple):
    """What there is to account for after a request."""

    environ: dict[str, str]
    status: int
    size: int
    began: float
    seconds: float


class Observer(Protocol):
    """Who is told what the server does; ``started`` and ``finished`` come from any thread."""

    def started(self) -> None:
        """A request has arrived whole."""

    def finished(self, what: Finished) -> None:
        """It has been answered, or has failed."""

    def tick(self, now: float) -> float:
        """Do what is due, at every turn of the loop; return the seconds until the next."""
        ...

    def stopping(self) -> None:
        """Nothing is accepted any more."""

    def ended(self) -> None:
        """The loop turns no more."""


class Traits(NamedTuple):
    """How the application is served.

    Attributes:
        make_wire: makes the receiving end of the protocol for a connection.
        script_name: where the application is mounted; ``None`` leaves it to the front end.
        may_talk: whether a peer of that address may connect over TCP.
        is_multithread: whether several requests run at the same time in this process.
        is_multiprocess: whether other processes serve the same application.
    """

    make_wire: Callable[[Host], Wire]
    script_name: str | None = None
    may_talk: Callable[[str], bool] = lambda _: True
    is_multithread: bool = True
    is_multiprocess: bool = False
