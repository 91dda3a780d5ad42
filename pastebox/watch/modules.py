"""The files of imported modules that somebody may edit: not the library, not the installed."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Mapping
from types import ModuleType, TracebackType
from typing import NamedTuple

_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Found(NamedTuple):
    """What imported modules tell.

    Attributes:
        files: sources that may be edited.
        trees: the directories of their packages, where the data is.
        others: names of modules that nobody edits, in the order in which they were imported.
        names: top names of those that may be edited.
    """

    files: list[str]
    trees: list[str]
    others: list[str]
    names: list[str]


def library_directories() -> tuple[str, ...]:
    """Return the directories of Python's own library, and pastebox's."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    paths = sysconfig.get_paths()
    return tuple(
        os.path.join(os.path.realpath(path), "")
        for path in {paths["stdlib"], paths["platstdlib"], ours}
    )


def look(modules: Mapping[str, ModuleType], library: tuple[str, ...]) -> Found:
    """Sort imported modules; ``modules`` is ``sys.modules``."""
    files: dict[str, None] = {}
    trees: dict[str, None] = {}
    others: list[str] = []
    names: dict[str, None] = {}
    for name, module in list(modules.items()):
        path = source_of(module)
        if path and is_edited(path, library):
            files[path] = None
            names[name.partition(".")[0]] = None
            trees.update(dict.fromkeys(_top_directories(name, modules, library)))
        elif name != "__main__" and isinstance(module, ModuleType):
            others.append(name)
    return Found(list(files), list(trees), others, list(names))


def source_of(module: object) -> str:
    """Return the absolute path of a module's source or extension; empty when it has none."""
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not path:
        return ""
    if path.endswith((".pyc", ".pyo")):
        path = path[:-1]
    return os.path.abspath(path)


def is_edited(path: str, library: tuple[str, ...]) -> bool:
    """Whether a file is somebody's work in progress rather than installed."""
    if any(part in path for part in _INSTALLED):
        return False
    return not os.path.realpath(path).startswith(library) and not path.startswith(library)


def _top_directories(
    name: str, modules: Mapping[str, ModuleType], library: tuple[str, ...]
) -> Iterable[str]:
    """Return where the top package of a module is; none for a module on its own."""
    top = modules.get(name.partition(".")[0])
    for directory in getattr(top, "__path__", ()):
        if isinstance(directory, str):
            path = os.path.abspath(directory)
            if os.path.isdir(path) and is_edited(os.path.join(path, ""), library):
                yield path


def files_of_failure(error: BaseException, library: tuple[str, ...]) -> list[str]:
    """Return the files that an exception passed through, and the one that does not compile."""
    files: dict[str, None] = {}
    seen: set[int] = set()
    here: BaseException | None = error
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        if isinstance(here, SyntaxError) and here.filename:
            files[os.path.abspath(here.filename)] = None
        trace: TracebackType | None = here.__traceback__
        while trace is not None:
            files[os.path.abspath(trace.tb_frame.f_code.co_filename)] = None
            trace = trace.tb_next
        here = here.__cause__ or here.__context__
    return [path for path in files if os.path.exists(path) and is_edited(path, library)]


def files_of_missing(name: str, path: Iterable[str], library: tuple[str, ...]) -> list[str]:
    """Return where a module that was not found may appear; ``path`` is ``sys.path``."""
    parts = name.split(".")
    found = []
    for entry in path:
        base = os.path.abspath(os.path.join(entry, *parts))
        if is_edited(os.path.join(os.path.abspath(entry), ""), library):
            found += [f"{base}.py", f"{base}/__init__.py"]
    return found


def package_of(path: str) -> str:
    """Return the directory of the outermost package that a file is in; empty for none."""
    here, outermost = os.path.dirname(path), ""
    while os.path.exists(os.path.join(here, "__init__.py")):
        here, outermost = os.path.dirname(here), here
    return outermost
