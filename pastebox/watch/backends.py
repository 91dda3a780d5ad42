"""Which directories are watched by events and which by polling, and why, in a line for people."""

from __future__ import annotations

import errno
import os
import select
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pastebox.watch import mounts
from pastebox.watch.events import Events, Hints
from pastebox.watch.interest import Interest
from pastebox.watch.polling import Poller
from pastebox.watch.scan import Scanner

_PROBE_MS = 250


class EventSource(Protocol):
    """Who tells where something happened."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        ...

    def add(self, directory: str) -> None:
        """Watch a directory."""
        ...

    def read(self) -> Hints:
        """Return where to look."""
        ...

    def close(self) -> None:
        """Give the descriptor back."""
        ...


class Backends:
    """Both ways to see a change, each for the directories where it is the right one.

    Args:
        mode: ``auto``, ``events`` or ``poll``.
        interest: what is watched.
        scanner: the marks of it.
        complain: told, once, why events are not to be had.
    """

    def __init__(
        self, mode: str, interest: Interest, scanner: Scanner, complain: Callable[[str], None]
    ) -> None:
        self.poller = Poller(scanner)
        self.events: EventSource | None = None
        self._mode = mode
        self._complain = complain
        self._interest = interest
        self._reasons: dict[str, str] = {}  # directory that is polled: why
        self._kinds: dict[str, set[str]] = {"events": set(), "poll": set()}
        self._evented: set[str] = set()
        if mode != "poll":
            try:
                self.events = _source(interest)
            except (OSError, ImportError) as error:
                self._give_up(error)

    def add(self, directories: Sequence[str]) -> None:
        """Watch these as well."""
        table = mounts.read_mounts() if self._mode == "auto" else []
        polled = []
        for directory in directories:
            kind = mounts.type_of(directory, table) if table else ""
            if self._takes_events(directory, kind):
                self._kinds["events"].add(kind)
            else:
                self._kinds["poll"].add(kind)
                polled.append(directory)
        self.poller.add(polled)

    def add_files(self, directory: str) -> None:
        """Look at the names in a directory again: there may be symbolic links among them."""
        if self.events is not None and directory in self._evented:
            try:
                self.events.add(directory)
            except OSError as error:
                self._give_up(error)

    def told(self, files: int) -> str:
        """Return, in a line, what was chosen and why."""
        parts = []
        for name, count in (
            ("events", len(self._evented)),
            ("polling", len(self.poller.directories)),
        ):
            kinds = self._kinds["events" if name == "events" else "poll"] - {""}
            why = f" ({', '.join(sorted(kinds))})" if kinds else ""
            if count:
                parts.append(f"{count} directories by {name}{why}")
        return f"watching files={files}: " + (" and ".join(parts) or "nothing")

    def _takes_events(self, directory: str, kind: str) -> bool:
        if self.events is None:
            return False
        if self._mode == "auto":
            answer = mounts.tells(kind)
            if answer is None:
                answer = probe(self.events, directory)
            if not answer:
                return False
        try:
            self.events.add(directory)
        except OSError as error:
            self._give_up(error)
            return False
        self._evented.add(directory)
        return True

    def _give_up(self, error: OSError | ImportError) -> None:
        """Poll everything: half of the events are none."""
        if self.events is not None:
            self.events.close()
            self.events = None
        limit = {
            errno.EMFILE: ": the limit fs.inotify.max_user_instances is reached",
            errno.ENOSPC: ": the limit fs.inotify.max_user_watches is reached",
        }.get(getattr(error, "errno", None) or 0, f": {error}")
        self._complain(f"polling, since events are not to be had{limit}")
        self.poller.add(sorted(self._evented))
        self._evented.clear()
        self._kinds["poll"] |= self._kinds["events"]


def _source(interest: Interest) -> EventSource:
    """Return what tells of changes on this system.

    Raises:
        OSError: this user has no more of it.
        ImportError: the extra is not installed.
    """
    platform: str = sys.platform  # a type checker runs on one of them
    if platform == "linux":
        return Events(interest)
    from pastebox.watch.foreign import ForeignEvents  # noqa: PLC0415  # needs an extra

    return ForeignEvents()


def probe(events: EventSource, directory: str) -> bool:
    """Write a file where it may be written, and say whether that was told.

    A file system that passes tells at least of this machine's own changes.
    """
    path = os.path.join(directory, f".pastebox-probe-{os.getpid()}")
    try:
        events.add(directory)
        poll = select.poll()
        poll.register(events.fileno(), select.POLLIN)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            return bool(poll.poll(_PROBE_MS))
        finally:
            os.unlink(path)
    except OSError:
        return False


def changed_everywhere(scanner: Scanner, directories: Iterable[str]) -> list[str]:
    """Return all that has changed in these directories."""
    return [path for directory in directories for path in scanner.look(directory)]
