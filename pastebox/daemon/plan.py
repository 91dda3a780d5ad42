"""What is to run, from the command line and the INI."""

import glob
import math
import os
import sys
from collections.abc import MutableMapping
from typing import NamedTuple

from pastebox.config.model import ConfigSpec
from pastebox.daemon.programs import WEB, Program
from pastebox.daemon.render import ControlPort, Daemon
from pastebox.daemon.rundir import SOCKET
from pastebox.daemon.sections import read_programs
from pastebox.environment import read_value_file
from pastebox.errors import ConfigError
from pastebox.master.prepare import find, prepare
from pastebox.master.request import ServeRequest
from pastebox.settings import Settings

SPARE_S = 3.0
"""What a stop may take beside its delay and its drain; compose.yaml and the chart give 5 s."""


class Plan(NamedTuple):
    """What is to run.

    Attributes:
        programs: ours; the operator's own files may have more.
        daemon: what they have in common.
        settings: with the INI's ``[pastebox]`` section.
        refused: what cannot be run, and why, where that harms nothing else.
    """

    programs: tuple[Program, ...]
    daemon: Daemon
    settings: Settings
    refused: tuple[str, ...] = ()


def make_plan(request: ServeRequest, spec: ConfigSpec, directory: str, listener: str = "") -> Plan:
    """Read the INI and say what runs.

    Args:
        request: what the command line asks for.
        spec: the INI.
        directory: where the control socket is.
        listener: where the application says that it is ready, if somebody wants to know.

    Raises:
        PasteboxError: the INI, one of its programs or a setting is wrong.
    """
    prepared = prepare(request, spec, find(request)[1])
    web = web_program(request, directory, listener)
    programs = read_programs(prepared.config, web, request.environ)
    settings = prepared.settings
    return Plan(programs, daemon_of(settings, directory), settings)


def web_program(request: ServeRequest, directory: str, listener: str = "") -> Program:
    """Return the program that serves the application; first boot and its hooks are done."""
    own = {"mode": "foreground", "setup": "never", "hooks_dir": os.path.join(directory, "none")}
    words = [*ourselves(), "serve", *filter(None, [request.argument])]
    words += [f"{name}={value}" for name, value in request.words.items()]
    for name, value in request.arguments.items():
        words.append(f"--{name.replace('_', '-')}={own.get(name, value)}")
    for section, pair in request.sets:
        words += ["--set", section, pair]
    environment = {f"PASTEBOX_{name.upper()}": value for name, value in own.items()}
    return Program(
        name=WEB,
        command=tuple(words),
        environment=environment | ({"NOTIFY_SOCKET": listener} if listener else {}),
        essential=True,
        reload_signal="HUP",
    )


def ourselves() -> tuple[str, ...]:
    """Return the words that run pastebox, as it was run."""
    script = os.path.abspath(sys.argv[0])
    if os.path.basename(script) == "pastebox" and os.access(script, os.X_OK):
        return (script,)
    return (sys.executable, "-P", "-m", "pastebox")


def daemon_of(settings: Settings, directory: str) -> Daemon:
    """Return what the programs have in common.

    Raises:
        ConfigError: the TCP port has no password.
    """
    pattern = os.path.join(settings.supervisor_dir, "*.conf")
    return Daemon(
        socket=os.path.join(directory, SOCKET),
        stop_seconds=math.ceil(settings.drain_delay + settings.drain_timeout + SPARE_S),
        include=pattern if glob.glob(pattern) else "",
        control=_control_port(settings),
        log_level=settings.log_level,
    )


def _control_port(settings: Settings) -> ControlPort | None:
    if not settings.control_port:
        return None
    path = settings.control_password_file
    if path is None:
        raise ConfigError(
            "the control port has no password",
            option="PASTEBOX_CONTROL_PASSWORD_FILE",
            hint="write one to a file, such as /run/secrets/control_password, and name it",
        )
    password = read_value_file(path)
    if not password:
        raise ConfigError(found="an empty password", expected="at least one character", file=path)
    return ControlPort(
        settings.control_host, settings.control_port, settings.control_user, _sha1(password)
    )


def _sha1(password: str) -> str:
    import hashlib  # noqa: PLC0415  # only where there is a TCP port

    return hashlib.sha1(password.encode()).hexdigest()  # noqa: S324  # what supervisor compares


def leave_to_programs(environ: MutableMapping[str, str]) -> None:
    """Leave in the environment what programs may have: what serves there is no daemon."""
    for name in ("MODE", "SETUP", "HOOKS_DIR"):
        environ.pop(f"PASTEBOX_{name}_FILE", None)  # the variable itself would contradict it
    environ["PASTEBOX_MODE"] = "foreground"
