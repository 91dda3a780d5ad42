"""Where Helm is: on the path, or where ``make helm`` puts it, in the virtual environment."""

from __future__ import annotations

import os
import shutil
import sys


def helm_program() -> str | None:
    """Return the path of helm, or nothing."""
    beside = os.path.join(sys.prefix, "bin")
    return shutil.which("helm", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
