"""A PID file that is held by a lock, so that what it says is true or seen to be stale.

The kernel gives the lock back when the process ends, however it ends, and tells who has it: that
settles every file of ours, whatever became of the number meanwhile. A file that nobody holds is
judged by the start of the process that it names: one that began after the file was written has
only inherited the number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys
import time
from typing import NamedTuple

from pastebox.errors import CannotCreateError
from pastebox.process.atomic import creation_error

_LONGEST = 64
_SLACK_S = 1.0
"""Start times are told in hundredths of a second, those of some files in whole ones."""
_LINUX = sys.platform == "linux"
_FLOCK = struct.Struct("@hhqqi0q" if _LINUX else "@qqihh")
"""``struct flock``: type, whence, start, length, pid; elsewhere start, length, pid come first."""


class Found(NamedTuple):
    """What a PID file says.

    Attributes:
        state: ``none``, ``running``, ``stale``, ``foreign`` (a living process that is no
            pastebox, as it does not hold the file) or ``garbage``.
        pid: the process; 0 where none is named, or where it cannot be seen from here.
        mark: what the holder was given as one.
    """

    state: str
    pid: int
    mark: int = 0


def inspect(path: str) -> Found:
    """Say who holds the PID file, or whom it was left by.

    Raises:
        PasteboxError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Found("none", 0)
    except OSError as error:
        raise CannotCreateError(
            f"the PID file cannot be read: {error.strerror}", file=path
        ) from error
    try:
        return _inspect(descriptor)
    finally:
        os.close(descriptor)


class PidFile:
    """A PID file that this process holds.

    Args:
        path: where it is.
        mark: a number from 1 for whoever inspects it. Not in the file, where a script would take
            it for a process: it is the place of a second lock.

    Raises:
        CannotCreateError: another process holds it, it names another living process, it is no
            PID file, or it cannot be created.
        NoPermissionError: it cannot be written.
    """

    def __init__(self, path: str, mark: int = 0) -> None:
        self.path = os.path.abspath(path)
        while True:
            self._descriptor = _open(self.path)
            try:
                _lock(self._descriptor, self.path)
                if _is_at(self._descriptor, self.path):
                    break
            except BaseException:
                os.close(self._descriptor)
                raise
            os.close(self._descriptor)  # it was removed between the two
        try:
            self.left_by = _left_by(self._descriptor, self.path)
            self._write()
            if mark:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, mark)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _write(self) -> None:
        text = b"%d\n" % os.getpid()
        try:
            os.pwrite(self._descriptor, text, 0)  # before the cut: it is never empty for a reader
            os.ftruncate(self._descriptor, len(text))
        except OSError as error:
            raise creation_error(self.path, error) from error

    def release(self) -> None:
        """Remove it, unless somebody has put another there, and let go."""
        with contextlib.suppress(OSError):
            if _is_at(self._descriptor, self.path):
                os.unlink(self.path)
        os.close(self._descriptor)


def remove_stale(path: str) -> None:
    """Remove a file that a crash has left, unless somebody has taken it over meanwhile.

    Raises:
        PasteboxError: it cannot be removed, or is not stale.
    """
    held = PidFile(path)
    try:
        os.unlink(path)
    except OSError as error:
        raise creation_error(path, error) from error
    finally:
        os.close(held._descriptor)  # noqa: SLF001  # one of us


def started_at(pid: int) -> float | None:
    """Return when a process began, in seconds since the epoch; ``None`` when it is not there.

    A zombie is not there. Where there is no ``/proc``, a living process began at 0.
    """
    if not _LINUX:
        with contextlib.suppress(ProcessLookupError):
            with contextlib.suppress(PermissionError):
                os.kill(pid, 0)
            return 0.0
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if fields[0] in (b"Z", b"X"):
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def name_of(pid: int) -> str:
    """Return the name of a process as ``ps`` shows it; empty when nobody knows."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _inspect(descriptor: int) -> Found:
    held = _lock_in(descriptor, 0, 1)
    if held is not None:
        marked = _lock_in(descriptor, 1, 0)
        return Found("running", held[1], marked[0] if marked else 0)
    text = os.pread(descriptor, _LONGEST, 0) if _is_regular(descriptor) else b"?"
    if not text.strip():
        return Found("stale", 0)
    pid = _number(text)
    if pid is None:
        return Found("garbage", 0)
    began = started_at(pid)
    if pid == os.getpid() or began is None or began > os.fstat(descriptor).st_mtime + _SLACK_S:
        return Found("stale", pid)
    return Found("foreign", pid)


def _lock_in(descriptor: int, start: int, length: int) -> tuple[int, int] | None:
    """Return place and owner of somebody else's lock; 0 for one that cannot be seen from here."""
    place = (start, length, 0)
    kind = (fcntl.F_WRLCK, os.SEEK_SET)
    asked = _FLOCK.pack(*(kind + place if _LINUX else place + kind))
    told = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    if told[0 if _LINUX else 3] == fcntl.F_UNLCK:
        return None
    return (told[2], max(0, told[4])) if _LINUX else (told[0], max(0, told[2]))


def _number(text: bytes) -> int | None:
    words = text.split()
    is_one = len(words) == 1 and words[0].isdigit() and len(text) < _LONGEST
    return int(words[0]) if is_one and 0 < int(words[0]) < 2**31 else None


def _open(path: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
    except OSError as error:
        raise creation_error(path, error) from error
    if not _is_regular(descriptor):
        os.close(descriptor)
        raise CannotCreateError("is not a PID file, but something else", file=path)
    return descriptor


def _lock(descriptor: int, path: str) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise CannotCreateError(
                f"the PID file cannot be locked: {error.strerror}",
                file=path,
                hint="have it on a file system of this machine, such as /run",
            ) from error
        pid = (_lock_in(descriptor, 0, 1) or (0, 0))[1]
        raise CannotCreateError(
            f"is held by process {pid}, which serves already"
            if pid
            else "is held by a process that cannot be seen from here, as in a container",
            file=path,
            hint="restart or stop that one, or name another with --pid-file",
        ) from error


def _left_by(descriptor: int, path: str) -> int:
    """Return who has left the file, 0 for nobody.

    Raises:
        CannotCreateError: it is not ours to write over.
    """
    found = _inspect(descriptor)  # our own lock does not count
    if found.state == "garbage":
        raise CannotCreateError(
            "is not a PID file: found something other than a number",
            file=path,
            hint="name another with --pid-file",
        )
    if found.state == "foreign":
        raise CannotCreateError(
            f"names process {found.pid} ({name_of(found.pid)}), which runs and is no pastebox",
            file=path,
            hint="remove the file if that process has nothing to do with it,"
            " or name another with --pid-file",
        )
    return found.pid


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
