"""The listening sockets by the address that each was bound for, and how they follow a new one."""

import contextlib
import os
import socket
from collections.abc import Callable

from pastebox.config.model import Bind
from pastebox.errors import CannotCreateError
from pastebox.process import sockets as listening

BACKLOG = 1024
ByBind = dict[Bind, list[socket.socket]]


class Doors:
    """Where the application is reached.

    Args:
        open_: the bound sockets; none for a server that binds by itself.
        unlink: paths of Unix sockets that are ours to remove.
    """

    def __init__(self, open_: ByBind, unlink: list[str]) -> None:
        self._open = open_
        self._unlink = unlink
        self._next: ByBind | None = None

    @property
    def sockets(self) -> list[socket.socket]:
        """Return the sockets of the serving generation."""
        return _flat(self._open)

    def take(self, other: "Doors") -> None:
        """Have what was bound elsewhere."""
        self._open, self._unlink = other._open, other._unlink  # noqa: SLF001  # one of us

    def listen(self) -> None:
        """Begin to take connections; they wait for the first worker."""
        _listen(self.sockets)

    def follow(
        self, binds: tuple[Bind, ...], bind_one: Callable[[Bind], list[socket.socket]]
    ) -> list[socket.socket]:
        """Return the sockets for a next generation: those that are there, and new ones.

        Args:
            binds: the addresses it asks for.
            bind_one: binds one of them.

        Raises:
            PasteboxError: an address cannot be had; nothing has changed then.
        """
        if self.are_inherited:
            return self.sockets
        known = {**(self._next or {}), **self._open}
        new: ByBind = {}
        try:
            for bind in binds:
                if bind not in known:
                    new[bind] = self._bind(bind, bind_one)
        except BaseException:
            self._shut(new)
            raise
        _listen(_flat(new))
        following = {bind: known.get(bind) or new[bind] for bind in binds}
        dropped = {bind: some for bind, some in (self._next or {}).items() if bind not in following}
        self._shut({bind: some for bind, some in dropped.items() if bind not in self._open})
        self._next = following
        return _flat(following)

    @property
    def are_inherited(self) -> bool:
        """Whether somebody else has bound them, and decides where they are."""
        return any(isinstance(one, listening.Adopted) for one in self.sockets)

    def settle(self) -> bool:
        """The next generation serves: leave what only the old one had; true if anything moved.

        The old one's workers take what waits in the queue, and their copies of the sockets are
        the last ones.
        """
        if self._next is None:
            return False
        leaving = {bind: some for bind, some in self._open.items() if bind not in self._next}
        has_moved = self._next.keys() != self._open.keys()
        self._open, self._next = self._next, None
        listening.refuse_newcomers(_flat(leaving))
        self._shut(leaving)
        return has_moved

    def drop(self) -> None:
        """The next generation does not come: close what was opened for it."""
        new = {bind: some for bind, some in (self._next or {}).items() if bind not in self._open}
        self._shut(new)
        self._next = None

    def refuse(self) -> None:
        """Keep newcomers away, while those who wait are still accepted."""
        self.drop()
        for path in self._unlink:
            with contextlib.suppress(OSError):
                os.unlink(path)
        self._unlink = []
        listening.refuse_newcomers(self.sockets)

    def close_sockets(self) -> None:
        """Close them, so that newcomers are refused at once."""
        for one in self.sockets:
            one.close()

    def close_in_child(self) -> None:
        """Give them back in a forked child, where they would outlive the address."""
        for one in _flat({**(self._next or {}), **self._open}):
            one.close()

    def close(self) -> None:
        """Leave nothing behind."""
        self.drop()
        self.close_sockets()
        for path in self._unlink:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def _bind(
        self, bind: Bind, bind_one: Callable[[Bind], list[socket.socket]]
    ) -> list[socket.socket]:
        try:
            sockets = bind_one(bind)
        except CannotCreateError as error:
            own = [one for one in self._open if bind.kind == "tcp" and one.port == bind.port]
            if own:
                error.hint = (
                    f"it overlaps with {own[0]}, where this service listens; that takes a restart"
                )
            raise
        if bind.kind == "unix":
            self._unlink.append(bind.path)
        return sockets

    def _shut(self, sockets: ByBind) -> None:
        for bind, some in sockets.items():
            for one in some:
                one.close()
            if bind.kind == "unix" and bind.path in self._unlink:
                self._unlink.remove(bind.path)
                with contextlib.suppress(OSError):
                    os.unlink(bind.path)


def _flat(by_bind: ByBind) -> list[socket.socket]:
    return [one for some in by_bind.values() for one in some]


def _listen(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.listen(BACKLOG)
        one.setblocking(False)
