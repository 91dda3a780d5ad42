"""Files that are whole or not there: write beside, fsync, rename, fsync the directory."""

from __future__ import annotations

import contextlib
import errno
import os

from pastebox.errors import CannotCreateError, NoPermissionError, PasteboxError


def write_atomically(path: str, content: bytes, *, mode: int = 0o600, replace: bool = True) -> None:
    """Put ``content`` at ``path`` so that a crash leaves the old file or the new one.

    Args:
        path: the file; its directory must exist.
        content: all of it.
        mode: permission bits of the new file.
        replace: with ``False`` an existing file is kept and ``FileExistsError`` raised.

    Raises:
        NoPermissionError: the directory cannot be written; the hint has the ownership to give.
        CannotCreateError: the disk is full, or another error of the operating system.
        FileExistsError: ``path`` exists and ``replace`` is false.
    """
    directory = os.path.dirname(path) or "."
    beside = os.path.join(directory, f".{os.path.basename(path)}.{os.getpid()}.tmp")
    try:
        try:
            _write_whole(beside, content, mode)
            if replace:
                os.replace(beside, path)
            else:
                os.link(beside, path)
            sync_directory(directory)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside)
    except FileExistsError:
        raise
    except OSError as error:
        raise creation_error(path, error) from error


def _write_whole(path: str, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(directory: str) -> None:
    """Make a rename in ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: str, *, mode: int = 0o775) -> None:
    """Create ``path`` and its parents; one that exists is left as it is.

    Raises:
        NoPermissionError: a parent cannot be written.
        CannotCreateError: another error of the operating system.
    """
    try:
        os.makedirs(path, mode=mode, exist_ok=True)
    except OSError as error:
        raise creation_error(path, error) from error


def creation_error(path: str, error: OSError) -> PasteboxError:
    """Say why ``path`` cannot be created, with the ownership to give where that mends it."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return NoPermissionError(
            f"cannot be written by uid {os.getuid()}: {error.strerror}",
            file=path,
            hint=ownership_hint(path),
        )
    reason = error.strerror or str(error)
    hint = None
    if error.errno == errno.EROFS:
        hint = "mount a volume or a tmpfs there, or point the setting elsewhere"
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "free space on the volume; nothing was left half written"
    return CannotCreateError(f"cannot be created: {reason}", file=path, hint=hint)


def ownership_hint(path: str) -> str:
    """Return the exact command and pod setting that make ``path`` writable for this process."""
    place = os.path.abspath(path)
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    group = os.getgid()
    return (
        f"on the host: chown {os.getuid()}:{group} {place}, or chgrp {group} and chmod g+rwX\n"
        f"in Kubernetes: securityContext.fsGroup: {group or os.getuid()}"
    )
