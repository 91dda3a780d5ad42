"""What is supervised: a program, its name, and how it is started, ended and started again."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pastebox.config.model import Bind

WEB = "web"
"""The name of the application itself, which serves the INI."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""A name is a log prefix, a section of supervisor's configuration and a part of file names."""

NAME_EXPECTED = "up to 63 letters, digits, dots, hyphens or underscores, no hyphen or dot first"

RESTART_WORDS = ("unexpected", "always", "never")

Environment = Mapping[str, str]
NOTHING: Environment = MappingProxyType({})


class Program(NamedTuple):
    """One program.

    Attributes:
        name: see :data:`NAME`.
        command: the words of its command line; the first may be looked up in ``PATH``.
        directory: where it runs; empty for the daemon's own working directory.
        environment: what it has beside the daemon's environment.
        priority: a lower one starts first and stops last; equal ones stop together.
        essential: its end is the end of all, with its exit status.
        together: a word that essential programs share of which the last one's end is the end of
            all; empty where it is that of each.
        autostart: started with the daemon, not only by ``pastebox ctl start``.
        restart: ``unexpected`` after a status that is not in ``exit_codes``, ``always``, ``never``.
        restarts: how many restarts it has in ten minutes, each after a longer pause.
        start_seconds: how long it has to run to be called started.
        exit_codes: the statuses that mean that it is done.
        stop_signal: the name of the signal that ends it, without ``SIG``.
        stop_seconds: how long it has to end when it alone is stopped; 0 for the daemon's deadline.
        reload_signal: the name of the signal that has it read its configuration again, or empty.
        user: as whom it runs, for a daemon that runs as root; empty for nobody else.
        digest: a fingerprint of what it reads. Where that alone differs at an update, the running
            program gets ``reload_signal`` (or is replaced where it has none).
        binds: the addresses that it listens on, where others are to have them at an update.
    """

    name: str
    command: tuple[str, ...]
    directory: str = ""
    environment: Environment = NOTHING
    priority: int = 999
    essential: bool = False
    together: str = ""
    autostart: bool = True
    restart: str = "unexpected"
    restarts: int = 3
    start_seconds: int = 1
    exit_codes: tuple[int, ...] = (0,)
    stop_signal: str = "TERM"
    stop_seconds: int = 0
    reload_signal: str = ""
    user: str = ""
    digest: str = ""
    binds: tuple[Bind, ...] = ()
