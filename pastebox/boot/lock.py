"""What keeps two first boots apart: a lock with a deadline and a fencing token.

The journal is where the lock is: whoever shares the one shares the other. A backend is a class
with the methods of :class:`Lock`, named in ``BACKENDS``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from pastebox.boot import journal as journals
from pastebox.boot.identity import present_holder
from pastebox.boot.paths import StatePaths
from pastebox.errors import TemporaryError
from pastebox.process.atomic import creation_error
from pastebox.process.deadline import Deadline
from pastebox.settings import Settings

if TYPE_CHECKING:
    from pastebox.config.read import Config

LOCAL = ("file", "none")
"""Those whose journal is a file: no server is asked for it."""
PROGRESS_S = 10.0
_RETRY_S = 0.05
_MODE = 0o660
_TOKEN = re.compile(rb'^ "token": (\d{1,18}),$', re.MULTILINE)


Place = Literal["volume", "lock", "nowhere"]


class Held(Protocol):
    """A lock that was taken.

    ``token`` grows with every holder: whoever finds a greater one was overtaken. A lock that
    ``proves_death`` cannot be held while an earlier holder lives.
    """

    token: int
    proves_death: bool
    lost: str
    """How it may have been lost, for the message."""

    def remember(self, content: bytes) -> None:
        """Keep the journal; whole, or not at all.

        Raises:
            PasteboxError: it cannot be written, or the lock is lost.
        """
        ...

    def remember_ini(self, content: bytes) -> None:
        """Keep the INI that was made, where the lock keeps it; likewise."""
        ...

    def still_held(self) -> bool:
        """Whether nobody has taken it away; asked before every write."""
        ...

    def release(self) -> None:
        """Give it back; calling twice is harmless."""
        ...


class Lock(Protocol):
    """A way to take it.

    ``look_again_s`` is how often who waits for a journal may ask for it. ``keeps_ini`` is where
    the other starts find an INI that was made: on the volume of the journal, in the lock, or
    nowhere, where the lock is no place for secrets and there may be no volume.
    """

    look_again_s: float
    keeps_ini: Place

    def recall(self, on_wait: Callable[[str], None]) -> bytes | None:
        """Return the journal, or ``None`` where there is none; needs no lock.

        Raises:
            PasteboxError: it cannot be read.
        """
        ...

    def recall_ini(self, on_wait: Callable[[str], None]) -> bytes | None:
        """Return the INI that the lock keeps, or ``None``; likewise."""
        ...

    def acquire(self, deadline: Deadline, on_wait: Callable[[str], None]) -> Held:
        """Take the lock, or wait for it; ``on_wait`` is told who has it, now and then.

        Raises:
            TemporaryError: the deadline passed; the message says who has it.
            NoPermissionError: its place cannot be written.
        """
        ...


class WithoutIni:
    """A lock that keeps no INI."""

    def recall_ini(self, on_wait: Callable[[str], None]) -> bytes | None:
        """See :class:`Lock`."""


class HeldWithoutIni:
    """The same, taken."""

    def remember_ini(self, content: bytes) -> None:
        """See :class:`Held`."""


class FileLock(WithoutIni):
    """``flock`` on a file beside the journal: one host, or a volume whose flock can be trusted.

    The kernel gives it back when its holder and the holder's step have died, never earlier: a
    step child inherits the descriptor, so a start that was killed alone does not let another
    one in while its setup still runs.
    """

    look_again_s = 0.2
    keeps_ini: Place = "volume"

    def __init__(self, path: str, journal: str) -> None:
        self._path = path
        self._journal = journal

    def recall(self, on_wait: Callable[[str], None]) -> bytes | None:  # noqa: ARG002  # the protocol
        """See :class:`Lock`."""
        return journals.read_bytes(self._journal)

    def acquire(self, deadline: Deadline, on_wait: Callable[[str], None]) -> Held:
        """See :class:`Lock`."""
        next_word = deadline.clock()
        while True:
            descriptor = self._open()
            if self._take(descriptor):
                return _HeldFile(self._path, descriptor, self._journal)
            holder = _held_by(descriptor)
            os.close(descriptor)
            if deadline.clock() >= next_word:
                on_wait(f"waiting for the lock held by {holder}")
                next_word = deadline.clock() + PROGRESS_S
            if deadline.has_passed:
                raise TemporaryError(
                    f"the lock is still held by {holder}",
                    file=self._path,
                    hint="wait for that start to end; PASTEBOX_LOCK_TIMEOUT says how long to wait",
                )
            # flock has no time limit of its own, and an alarm would need a signal.
            time.sleep(min(_RETRY_S, deadline.remaining + 0.001))

    def _open(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except OSError as error:
            raised = creation_error(self._path, error)
            raised.hint = "\n".join(filter(None, (raised.hint, journals.DATA_DIR_HINT)))
            raise raised from error
        # Another uid of the same group may be the next to start; the umask must not forbid it.
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, _MODE)
        return descriptor

    def _take(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            os.close(descriptor)
            raise creation_error(self._path, error) from error
        # A lock on a file that was deleted meanwhile keeps nobody out.
        if _is_at(self._path, descriptor):
            return True
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False


class _HeldFile(HeldWithoutIni):
    """A file lock that was taken; the file holds its token and says who has it."""

    proves_death = True
    lost = "do not delete the lock file of a running start"

    def __init__(self, path: str, descriptor: int, journal: str) -> None:
        self._path = path
        self._journal = journal
        self._descriptor = descriptor
        # The journal outlives a lock file that somebody deleted.
        self.token = max(_token_in(os.pread(descriptor, 4096, 0)), _token_of(journal)) + 1
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        content = f"{self.token}\n{present_holder()} since {since}\n".encode()
        try:
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))
            os.fsync(descriptor)
        except OSError as error:
            self.release()
            raise creation_error(path, error) from error

    def remember(self, content: bytes) -> None:
        """Write the journal's file."""
        journals.write(self._journal, content)

    def still_held(self) -> bool:
        """Whether the file is still the one that was locked, and the token still ours."""
        if self._descriptor < 0 or not _is_at(self._path, self._descriptor):
            return False
        return _token_in(os.pread(self._descriptor, 4096, 0)) == self.token

    def release(self) -> None:
        """Give it back; the file stays, its token must go on growing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            # Not by closing alone: an orphan of a step would keep it.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


class NoLock(WithoutIni):
    """Nothing keeps anybody apart: for one start at a time, as the operator promises."""

    look_again_s = 0.2
    keeps_ini: Place = "volume"

    def __init__(self, journal: str) -> None:
        self._journal = journal

    def recall(self, on_wait: Callable[[str], None]) -> bytes | None:  # noqa: ARG002  # the protocol
        """See :class:`Lock`."""
        return journals.read_bytes(self._journal)

    def acquire(self, deadline: Deadline, on_wait: Callable[[str], None]) -> Held:  # noqa: ARG002  # the protocol
        """See :class:`Lock`."""
        return _HeldNothing(self._journal)


class _HeldNothing(HeldWithoutIni):
    token = 0
    proves_death = False
    lost = ""

    def __init__(self, journal: str) -> None:
        self._journal = journal

    def remember(self, content: bytes) -> None:
        """Write the journal's file."""
        journals.write(self._journal, content)

    def still_held(self) -> bool:
        """Nobody can take away what is not there."""
        return True

    def release(self) -> None:
        """Nothing to give back."""


def _file(settings: Settings, paths: StatePaths, environ: Mapping[str, str]) -> Lock:  # noqa: ARG001  # as the others
    return FileLock(paths.lock, paths.journal)


def _none(settings: Settings, paths: StatePaths, environ: Mapping[str, str]) -> Lock:  # noqa: ARG001  # as the others
    return NoLock(paths.journal)


def _lease(settings: Settings, paths: StatePaths, environ: Mapping[str, str]) -> Lock:  # noqa: ARG001  # as the others
    from pastebox.boot.kubernetes import Leases  # noqa: PLC0415  # in a pod only
    from pastebox.boot.lease import LeaseLock  # noqa: PLC0415  # likewise

    return LeaseLock(Leases(settings.lock_name, environ), settings.lock_timeout)


BACKENDS: dict[str, Callable[[Settings, StatePaths, Mapping[str, str]], Lock]] = {
    "file": _file,
    "none": _none,
    "lease": _lease,
}
"""Those that need the settings only."""


def lock_for(
    settings: Settings,
    paths: StatePaths,
    environ: Mapping[str, str],
    config: Callable[[], Config | None] = lambda: None,
    report: Callable[[str, str], object] = lambda *_: None,
) -> Lock:
    """Return the lock that the settings name, or that suits; ``report`` is told which.

    Args:
        settings: ``lock`` and what belongs to it.
        paths: where a lock in a file is.
        environ: of this process.
        config: reads the INI, which may name the application's database.
        report: is told a phase and a sentence.

    Raises:
        ConfigError: it cannot work here.
    """
    if settings.lock in BACKENDS:
        return BACKENDS[settings.lock](settings, paths, environ)
    from pastebox.boot.suitable import database_url, suitable  # noqa: PLC0415  # if asked for

    name = settings.lock
    if name == "auto":
        name, reason = suitable(settings, environ, config)
        report("boot", f"lock={name} reason={reason}")
    if name in BACKENDS:
        return BACKENDS[name](settings, paths, environ)
    from pastebox.boot.database import Database  # noqa: PLC0415  # likewise
    from pastebox.boot.postgresql import PostgresLock  # noqa: PLC0415  # likewise

    url = database_url(settings, config)
    return PostgresLock(Database(url, settings.lock_name), settings.lock_timeout)


def _is_at(path: str, descriptor: int) -> bool:
    try:
        there, ours = os.stat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _token_in(content: bytes) -> int:
    first = content.partition(b"\n")[0]
    return int(first) if first.isdigit() and len(first) < 19 else 0  # noqa: PLR2004  # 64 bits


def _token_of(journal: str) -> int:
    found = _TOKEN.search(journals.read_bytes(journal) or b"")
    return int(found[1]) if found else 0


def _held_by(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        lines = os.pread(descriptor, 4096, 0).decode(errors="replace").splitlines()
        if len(lines) > 1:
            return lines[1]
    return "another start"
