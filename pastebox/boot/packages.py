"""The top-level packages of an installed distribution, without importing any of them.

``top_level.txt`` says it where setuptools built the distribution. hatchling, flit and poetry
write none: then the list of installed files says it, and for an editable install, whose list
holds no package, the modules that its entry points name, or else the packages in the
directory that its ``.pth`` file names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution


def packages_of(distribution: Distribution) -> list[str]:
    """Return the names of the top-level packages and modules, in a stable order, each once."""
    for source in (_from_top_level, _from_files, _from_entry_points, _from_path_files):
        names = list(dict.fromkeys(source(distribution)))
        if names:
            return names
    return []


def _from_top_level(distribution: Distribution) -> Iterator[str]:
    for line in (distribution.read_text("top_level.txt") or "").splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield name


def _from_files(distribution: Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        first = file.parts[0]
        name = first if len(file.parts) > 1 else first.removesuffix(".py")
        # An editable install's finder (__editable___...) is no module of the application.
        if file.suffix == ".py" and name.isidentifier() and not name.startswith("__"):
            yield name


def _from_entry_points(distribution: Distribution) -> Iterator[str]:
    for point in distribution.entry_points:
        # An installer's entry point often names a class of another distribution.
        if point.group.startswith("paste.") and point.group != "paste.app_install":
            yield point.module.partition(".")[0]


def _from_path_files(distribution: Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        if file.suffix != ".pth":
            continue
        for line in file.read_text(encoding="utf-8").splitlines():
            if os.path.isdir(line):
                yield from _packages_in(line)


def _packages_in(directory: str) -> Iterable[str]:
    return sorted(
        name
        for name in os.listdir(directory)
        if name.isidentifier() and os.path.isfile(os.path.join(directory, name, "__init__.py"))
    )


def directories_of(package: str) -> list[str]:
    """Return where a top-level package lies; nothing for a module, or one that is not found."""
    from importlib.util import find_spec  # noqa: PLC0415  # a top-level name imports nothing

    if package in sys.modules and getattr(sys.modules[package], "__spec__", None) is None:
        return list(getattr(sys.modules[package], "__path__", ()))
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return []
    return list(spec.submodule_search_locations or ()) if spec else []


def has_module(package: str, module: str) -> bool:
    """Whether ``package.module`` is there as a file or a package, seen without importing it."""
    return any(
        os.path.isfile(os.path.join(directory, name))
        for directory in directories_of(package)
        for name in (f"{module}.py", os.path.join(module, "__init__.py"))
    )
