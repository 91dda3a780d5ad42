"""Find an installed distribution by a glance at ``sys.path``; importlib.metadata does the rest.

``import importlib.metadata`` costs as much as the rest of a start's configuration. What is asked
nearly always, the version and the entry points of one distribution, is a directory name and a
small file (the recording format of installed projects, PyPA). Whatever is not found that way
(zip files, egg-info, finders of other tools) is asked of importlib.metadata by the caller.
"""

import os
import re
import sys
from collections.abc import Iterable
from configparser import ConfigParser
from typing import NamedTuple

_SUFFIX = ".dist-info"


class Installed(NamedTuple):
    """A distribution's metadata directory, and the version in its name."""

    name: str
    version: str
    directory: str

    def entry_points(self) -> dict[str, dict[str, str]]:
        """Return group to name to value; nothing is imported.

        Raises:
            configparser.Error: the file is damaged.
        """
        parser = ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        parser.read(os.path.join(self.directory, "entry_points.txt"), encoding="utf-8")
        return {group: dict(parser.items(group)) for group in parser.sections()}


def glance(name: str, path: Iterable[str] | None = None) -> Installed | None:
    """Return the first distribution of that name on ``sys.path``, or ``None``: ask elsewhere."""
    wanted = re.sub(r"[-_.]+", "_", name).lower()
    for directory in sys.path if path is None else path:
        try:
            entries = os.listdir(directory or ".")
        except OSError:
            continue
        for entry in entries:
            if not entry.endswith(_SUFFIX):
                continue
            project, _, version = entry.removesuffix(_SUFFIX).partition("-")
            if re.sub(r"[-_.]+", "_", project).lower() == wanted and version:
                return Installed(project, version, os.path.join(directory or ".", entry))
    return None
