"""Names that come and go beside the files that somebody edits, and mean nothing."""

from __future__ import annotations

import re

_FILES = re.compile(
    r"""
      .*~                       # backups of Emacs, vim and others
    | \.\#.*                    # Emacs: lock
    | \#.*\#                    # Emacs: unsaved text
    | \..*\.sw[a-z]             # vim: swap
    | \.sw[a-z]
    | 4913                      # vim: may I write here
    | .*___jb_(tmp|old|bak)___  # JetBrains: safe write
    | \.goutputstream-.*        # GNOME
    | \.nfs[0-9a-f]{8,}         # NFS: removed while open
    | \.pastebox-probe-.*       # ours
    | .*\.(pyc|pyo|tmp|temp|bak|orig|rej|part|crswap)
    | .*\.py\.[0-9a-f]{16,}     # written beside, before the rename
    """,
    re.VERBOSE,
)
_DIRECTORIES = frozenset(
    {
        "__pycache__",
        "node_modules",
        "bower_components",
        "site-packages",
        "dist-packages",
    }
)


def is_noise(name: str) -> bool:
    """Whether a file of this name is an editor's or a compiler's, and nobody's work."""
    return _FILES.fullmatch(name) is not None


def is_noisy_directory(name: str) -> bool:
    """Whether nothing below a directory of this name is somebody's work: caches, hidden ones."""
    return name in _DIRECTORIES or name.startswith(".") or name.endswith(".egg-info")
