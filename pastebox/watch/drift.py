"""Whether the configuration that is served is still the one in the files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from pastebox.config.parser import DEFAULT
from pastebox.config.read import Config
from pastebox.config.sha256 import hexdigest
from pastebox.config.variables import references
from pastebox.settings import Settings, options
from pastebox.watch.configured import files_of, overlays_in

Stamps = dict[str, tuple[int, ...]]


def stamps(config: Config, files: Iterable[str]) -> Stamps:
    """Return by what a change of the files is told without reading them, at any time.

    The time of the change of the inode sees what keeps its time, its size and its place. The
    overlays are listed, as one may come.
    """
    found: Stamps = {}
    for path in (*files, *overlays_in(config.source.overlay_dir)):
        try:
            seen = os.stat(path)
        except OSError:
            found[path] = ()
        else:
            found[path] = (
                seen.st_mtime_ns,
                seen.st_ctime_ns,
                seen.st_size,
                seen.st_ino,
                seen.st_nlink,
            )
    return found


def replaced_outside(found: Stamps) -> list[str]:
    """Return files that are here, and have no name any more.

    Such a file was mounted by itself and replaced on the host by another of its name: the mount
    keeps the old one, and nothing that happens to the new one is ever seen.
    """
    return [path for path, stamp in found.items() if stamp and not stamp[-1]]


class Facts:
    """What a configuration says, file by file, to be compared with what it says later.

    Comments and order count for nothing; a secret counts with its value, which is kept as a
    digest.
    """

    def __init__(self, config: Config, settings: Settings, environ: Mapping[str, str]) -> None:
        self.files = files_of(config, environ)
        self._facts = {**dict(_facts(config)), **dict(_values(settings, environ))}

    @property
    def digest(self) -> str:
        """What all of them come to, for a process that has no other facts to compare with."""
        return _digest(repr(sorted(self._facts.items())))

    def differences(self, other: Facts) -> list[str]:
        """Return the places that differ, as ``[section] option``; no value is among them."""
        mine, others = self._facts, other._facts  # one of us
        places = {
            place for place in mine.keys() | others.keys() if mine.get(place) != others.get(place)
        }
        return sorted(places)


def _facts(config: Config) -> Iterable[tuple[str, str]]:
    main = config.parser
    parsers = {id(one.parser): one.parser for one in config.reached()}
    for parser in parsers.values():
        where = "" if parser is main else f"{os.path.basename(parser.filename)} "
        for section in (DEFAULT, *parser.sections()):
            for option in parser.own_options(section):
                raw = parser.raw(section, option)
                parts = [raw]
                for name in references(raw):
                    parts += [name, parser.variables.lookup(name) or ""]
                yield f"{where}[{section}] {option}", _digest("\0".join(parts))


def _values(settings: Settings, environ: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the settings that were read from files, as they were read."""
    for row in options():
        given = settings.given(row.name)
        if given is not None and f"{row.environment}_FILE" in environ:
            yield f"{row.environment}_FILE", _digest(given.text)


def _digest(text: str) -> str:
    return hexdigest(text.encode("utf-8", "surrogateescape"))
