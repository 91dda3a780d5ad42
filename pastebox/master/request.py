"""What the command line asked the master to serve."""

from collections.abc import Mapping, MutableMapping
from typing import NamedTuple


class ServeRequest(NamedTuple):
    """A ``pastebox serve``, before anything is read.

    Attributes:
        argument: the INI or ``egg:`` specification, if one was given.
        arguments: settings given as flags, by name.
        words: ``name=value`` variables.
        sets: ``(section, key=value)`` of each ``--set``.
        environ: the process environment; hooks may change it.
    """

    argument: str | None
    arguments: Mapping[str, str]
    words: Mapping[str, str]
    sets: tuple[tuple[str, str], ...]
    environ: MutableMapping[str, str]
