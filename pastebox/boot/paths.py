"""Where first boot keeps its state: the journal, the lock and a generated INI."""

import os
import re
from typing import NamedTuple

from pastebox.config.model import ConfigSpec
from pastebox.settings import Settings

DIRECTORY = ".pastebox"
GENERATED = "app.ini"
IMAGE_DATA_DIR = "/data"


class StatePaths(NamedTuple):
    """The places of one application's state; nothing of it need exist yet."""

    directory: str
    journal: str
    lock: str
    generated_ini: str


def state_paths(spec: ConfigSpec | None, settings: Settings, cwd: str) -> StatePaths:
    """Name the places for an INI, or for the one that is still to be generated."""
    directory = os.path.join(_data_dir(spec, settings, cwd), DIRECTORY)
    stem = os.path.join(directory, state_name(spec))
    return StatePaths(
        directory, f"{stem}.journal.json", f"{stem}.lock", os.path.join(directory, GENERATED)
    )


def state_name(spec: ConfigSpec | None) -> str:
    """Return the name that keeps two applications on one volume apart: the INI's stem."""
    if spec is None:
        return os.path.splitext(GENERATED)[0]
    stem = spec.path
    if spec.scheme == "config":
        stem = os.path.splitext(os.path.basename(spec.path))[0]
    name = stem if spec.name == "main" else f"{stem}-{spec.name}"
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "app"


def _data_dir(spec: ConfigSpec | None, settings: Settings, cwd: str) -> str:
    if settings.data_dir:
        return os.path.join(cwd, settings.data_dir)
    if spec is not None and spec.scheme == "config":
        directory = os.path.dirname(spec.path)
        # A generated INI lies in the state directory itself.
        is_state = os.path.basename(directory) == DIRECTORY
        return os.path.dirname(directory) if is_state else directory
    if os.path.isdir(IMAGE_DATA_DIR) and os.access(IMAGE_DATA_DIR, os.W_OK):
        return IMAGE_DATA_DIR
    return cwd
