"""The directory of the daemon's configuration and control socket, the same for both ends."""

import os
import stat
from collections.abc import Mapping

from pastebox.errors import CannotCreateError, NoPermissionError
from pastebox.process.atomic import creation_error
from pastebox.settings import Settings

IMAGE_RUN_DIR = "/run/pastebox"
SOCKET = "control.sock"
CONFIG = "supervisord.conf"
_LONGEST_PATH = 90
"""What the 107 bytes of a Unix socket's path leave, as supervisor binds it under a longer name."""


def run_dir(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the directory: the setting, the image's where it can be written, else one of ours."""
    if settings.run_dir:
        return os.path.abspath(settings.run_dir)
    if os.path.isdir(IMAGE_RUN_DIR) and os.access(IMAGE_RUN_DIR, os.W_OK | os.X_OK):
        return IMAGE_RUN_DIR
    if os.path.isdir("/run") and os.access("/run", os.W_OK | os.X_OK):
        return IMAGE_RUN_DIR  # a tmpfs on /run hides the image's own
    return os.path.join(environ.get("TMPDIR") or "/tmp", f"pastebox-{os.getuid()}")  # noqa: S108  # nobody else may use it, see below


def make_run_dir(path: str) -> None:
    """Make the directory, or see that it is nobody else's.

    Raises:
        NoPermissionError: it belongs to somebody else, or cannot be written.
        CannotCreateError: it cannot be made, or its name is too long for a socket.
    """
    if len(os.fsencode(os.path.join(path, SOCKET))) > _LONGEST_PATH:
        raise CannotCreateError(
            "the path is too long for a socket in it", file=path, hint="PASTEBOX_RUN_DIR=/run/x"
        )
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.stat(path)
    except OSError as error:
        raise creation_error(path, error) from error
    if not os.access(path, os.W_OK | os.X_OK) or status.st_uid not in (0, os.getuid()):
        raise NoPermissionError(
            f"cannot hold the control socket of uid {os.getuid()}",
            file=path,
            found=f"mode {stat.S_IMODE(status.st_mode):04o} of uid {status.st_uid}",
            hint="PASTEBOX_RUN_DIR names another directory",
        )
