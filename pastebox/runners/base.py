"""The contract between the master and a server: what it can do, and how it is run."""

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pastebox.config.model import AppSource, Bind, ServerSpec

if TYPE_CHECKING:
    from pastebox.runners.context import WorkerContext


class RunnerInfo(NamedTuple):
    """What a runner is and can do; the master decides by these facts alone.

    Attributes:
        name: the name in the registry.
        protocols: what it speaks (``http``, ``fastcgi``, ``scgi``, ``ajp``).
        adopts_sockets: it takes sockets that the master has bound.
        owns_signals: it must receive TERM itself; else the control channel is used.
        multiprocess: it makes worker processes of its own.
        extra: the extra that installs what it needs, or ``None``.
        workers_per_cpu: how many processes it likes for each CPU.
        forks: each of its processes has children that serve; they are its own business.
        recycling: its own options that replace a process after a number of requests, the number
            first, then the jitter; ``None`` where the master does it, empty where nobody can.
    """

    name: str
    protocols: tuple[str, ...]
    adopts_sockets: bool
    owns_signals: bool
    multiprocess: bool
    extra: str | None
    workers_per_cpu: float = 1.0
    forks: bool = False
    recycling: tuple[str, ...] | None = None


class Runner(Protocol):
    """One server family."""

    info: RunnerInfo

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for, without touching them.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        ...

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: "WorkerContext",
    ) -> int:
        """Load the application, say READY, serve until told to drain; return the exit status."""
        ...
