"""Where to connect, to reach what listens on a bind."""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself costs pastebox health 6 ms
if TYPE_CHECKING:
    from pastebox.config.model import Bind

_LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound


class Target:
    """An address to connect to: a unix socket's ``path``, else ``host`` and ``port``."""

    __slots__ = ("host", "path", "port")

    def __init__(self, *, host: str = "", port: int = 0, path: str = "") -> None:
        self.host = host
        self.port = port
        self.path = path

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can be behind it."""
        return bool(self.path) or self.host in ("localhost", "::1") or self.host[:4] == "127."

    @property
    def authority(self) -> str:
        """The value of a Host header."""
        return "localhost" if self.path else str(self)


def tcp(host: str, port: int) -> Target:
    """Return the target of a listening host and port; a wildcard is reached by its loopback."""
    host = host.removeprefix("[").removesuffix("]")
    return Target(host=_LOOPBACK.get(host, host), port=port)


def unix(path: str) -> Target:
    """Return the target of a unix socket."""
    return Target(path=path)


def of_bind(bind: Bind) -> Target | None:
    """Return the target of a bind; ``None`` for a descriptor, whose address is not known here."""
    if bind.kind == "unix":
        return unix(bind.path)
    if bind.kind == "tcp":
        return tcp(bind.host, bind.port)
    return None
