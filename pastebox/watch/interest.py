"""What is watched: files by name, data beside packages, patterns; and what each is worth."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pastebox.watch.globs import Pattern
from pastebox.watch.noise import is_noise, is_noisy_directory

CODE = "code"
"""A change of it takes a new generation."""
ASSET = "asset"
"""A browser loads it by itself: a change of it is no business of the application's."""
DORMANT = "dormant"
"""A module that nobody has imported; it matters only to an application that failed to load."""

MOST_FILES = 100_000
MOST_DIRECTORIES = 20_000

_DATA = frozenset(
    {".pt", ".zpt", ".jinja2", ".jinja", ".j2", ".mako", ".mak", ".tmpl", ".tpl", ".mustache"}
    | {".html", ".htm", ".xhtml", ".chtml", ".genshi", ".kid", ".txt", ".rst", ".md"}
    | {".mo", ".po", ".pot", ".zcml", ".ini", ".cfg", ".conf", ".toml", ".yaml", ".yml", ".json"}
    | {".xml", ".xsl", ".xslt", ".xsd", ".dtd", ".sql", ".csv", ".graphql"}
)
_ASSETS = frozenset(
    {".css", ".scss", ".sass", ".less", ".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".vue"}
    | {".map", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".wasm"}
    | {".woff", ".woff2", ".ttf", ".otf", ".eot"}
)
_MODULES = frozenset({".py", ".so", ".pyd"})


class Interest:
    """Grows only: what one generation needed, the next one may need again."""

    def __init__(self, patterns: Iterable[Pattern] = ()) -> None:
        self.patterns = list(patterns)
        self.exact: dict[str, set[str]] = {}  # directory to names
        self.trees: set[str] = set()

    def add_files(self, paths: Iterable[str]) -> set[str]:
        """Watch files, whether they are there or not; return the directories they are in."""
        touched = set()
        for path in paths:
            directory, name = os.path.split(path)
            names = self.exact.setdefault(directory, set())
            if name not in names:
                names.add(name)
                touched.add(directory)
        return touched

    def add_trees(self, directories: Iterable[str]) -> set[str]:
        """Watch the data in packages; return the directories that are new."""
        new = set(directories) - self.trees
        self.trees |= new
        return new

    def roots(self) -> set[str]:
        """Return the directories to begin with; those below them are found."""
        return {*self.exact, *self.trees, *(pattern.base for pattern in self.patterns)}

    def goes_into(self, directory: str, name: str) -> bool:
        """Whether a directory in ``directory`` is looked into."""
        if self._in_tree(directory):
            return not is_noisy_directory(name)
        return any(
            pattern.is_deep and _is_below(directory, pattern.base) for pattern in self.patterns
        ) and not is_noisy_directory(name)

    def is_wide(self, directory: str) -> bool:
        """Whether more than files named one by one is watched in a directory."""
        return self._in_tree(directory) or any(
            pattern.base == directory or (pattern.is_deep and _is_below(directory, pattern.base))
            for pattern in self.patterns
        )

    def kind(self, directory: str, name: str) -> str:
        """Return what a file is worth; empty for nothing."""
        if name in self.exact.get(directory, ()):
            return CODE
        if is_noise(name):
            return ""
        path = f"{directory}/{name}"
        if any(pattern.regex.fullmatch(path) for pattern in self.patterns):
            return CODE
        return _worth(os.path.splitext(name)[1].lower()) if self._in_tree(directory) else ""

    def _in_tree(self, directory: str) -> bool:
        return any(_is_below(directory, tree) for tree in self.trees)


def _worth(suffix: str) -> str:
    """Return what a file in a package is worth by its suffix."""
    if suffix in _DATA:
        return CODE
    if suffix in _ASSETS:
        return ASSET
    return DORMANT if suffix in _MODULES else ""


def _is_below(directory: str, base: str) -> bool:
    return directory == base or directory.startswith(base + "/")
