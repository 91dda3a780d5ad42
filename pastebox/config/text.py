"""The text of a configuration file, or a clear word why it cannot be had."""

from __future__ import annotations

import os
import stat

from pastebox.errors import ConfigError, NoPermissionError, PasteboxError

LARGEST = 8 * 1024 * 1024  # bytes; anything longer is not an INI but a wrong mount

MOUNT_HINT = 'mount it: docker run -v "$PWD/app.ini:/etc/pastebox/app.ini:ro" IMAGE'
DIRECTORY_HINT = (
    "docker makes an empty directory when the path on the host does not exist:"
    " correct the left side of -v, remove the directory it made, and start again"
)


def read_text(path: str) -> str:
    """Return the text of a regular UTF-8 file, with or without a byte order mark.

    Raises:
        ConfigError: it is missing, not a file, too large, or not UTF-8 text.
        NoPermissionError: it may not be read.
    """
    try:
        refuse_other_than_a_file(path)
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error
    if len(data) > LARGEST:
        raise ConfigError(file=path, found="a very large file", expected=f"at most {LARGEST} bytes")
    return _decode(path, data)


def refuse_other_than_a_file(path: str) -> None:
    """Raise for a directory, a pipe or a device; a pipe would be empty at the next reload.

    Raises:
        ConfigError: it is there, and it is not a regular file.
        OSError: it is not there, or may not be looked at.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise ConfigError(
            file=path, found="a directory", expected="an INI file", hint=DIRECTORY_HINT
        )
    if not stat.S_ISREG(mode):
        raise ConfigError(
            file=path,
            found="a pipe, socket or device",
            expected="an INI file",
            hint="it is read again by each worker: write it to a file first",
        )


def _refusal(path: str, error: OSError | ValueError) -> PasteboxError:
    """Turn the operating system's answer into an error with a hint."""
    if isinstance(error, ConfigError):
        return error
    if isinstance(error, PermissionError):
        return NoPermissionError("may not be read", file=path, hint=permission_hint(path))
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        found = "no file"
        if os.path.islink(path):
            found = f"a symbolic link to {os.readlink(path)}, which is not there"
        return ConfigError(file=path, found=found, expected="an INI file", hint=MOUNT_HINT)
    reason = (error.strerror if isinstance(error, OSError) else str(error)) or str(error)
    return ConfigError(f"cannot be read: {reason.lower()}", file=path)


def permission_hint(path: str) -> str:
    """Say who we are, who owns the path, and what lets us read it."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        status = os.stat(path)
    except OSError:
        folder = os.path.dirname(path) or "."
        return f"uid {uid} gid {gid} may not enter {folder}: chmod o+x {folder}"
    return (
        f"uid {uid} gid {gid} reads, mode {stat.S_IMODE(status.st_mode):04o} of"
        f" {status.st_uid}:{status.st_gid} forbids:\n"
        f"chown {uid}:{gid} {path}, or chmod g+r and fsGroup: {gid} in the pod"
    )


def _decode(path: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            file=path,
            line=data.count(b"\n", 0, error.start) + 1,
            found=f"the byte 0x{data[error.start]:02x}",
            expected="UTF-8 text",
            hint=f"iconv -f latin1 -t utf-8 {os.path.basename(path)}",
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigError(file=path, line=line, found="a zero byte", expected="UTF-8 text")
    return text
