"""What is known of many instances, as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pastebox.config.model import Bind
from pastebox.daemon.programs import Program


class Base(NamedTuple):
    """What the instances have in common, as the start of the daemon found it.

    Attributes:
        directory: where the INIs are.
        data_dir: the directory of their data directories; empty for the directory of each INI.
        run_dir: where the daemon keeps its sockets, and below it those of the instances.
        host: the address that the ``host`` setting gives to those that say none; may be empty.
        health_host: where all of them are asked for.
        health_port: likewise; ``None`` where nobody asks.
        lock_name: what the names of their Leases begin with.
        fail: ``any`` or ``all``: which of them have to fail for the whole to fail.
        flags: settings from the daemon's command line, as variables.
        words: ``name=value`` variables for every INI.
        sets: ``(section, key=value)`` of each ``--set``, for every INI.
    """

    directory: str
    data_dir: str
    run_dir: str
    host: str
    health_host: str
    health_port: int | None
    lock_name: str
    fail: str
    flags: Mapping[str, str]
    words: Mapping[str, str]
    sets: tuple[tuple[str, str], ...]


class Instance(NamedTuple):
    """One INI that can be served.

    Attributes:
        name: the stem of the file's name.
        path: the INI.
        data_dir: its data; exists from :func:`make_places` on.
        health: the path of the socket on which its master tells its health.
        binds: the addresses that it listens on.
        stop_s: how long a drain of it may take.
        programs: the one that serves it, and those of its own ``[pastebox:program:NAME]``.
    """

    name: str
    path: str
    data_dir: str
    health: str
    binds: tuple[Bind, ...]
    stop_s: float
    programs: tuple[Program, ...]


class Refused(NamedTuple):
    """One file that cannot be served, and why."""

    name: str
    path: str
    error: str
    hint: str
    code: int


class Found(NamedTuple):
    """What a directory holds, in the order of the names."""

    instances: tuple[Instance, ...]
    refused: tuple[Refused, ...]
