"""The configuration of supervisor, as text, from values: nothing is read and nothing is written."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pastebox.daemon.programs import Program
from pastebox.errors import ConfigError

IDENTIFIER = "pastebox"
_MARKS = "#;"
_COMMENT = re.compile(rf"(?<=\s)[{_MARKS}]")
"""What begins a comment wherever it stands in a value: after a blank of any alphabet."""


class ControlPort(NamedTuple):
    """The TCP port for ``supervisorctl`` from elsewhere; ``digest`` is the password's SHA-1.

    That is supervisor's own form for a password that is not written down as it is.
    """

    host: str
    port: int
    user: str
    digest: str


class Daemon(NamedTuple):
    """What the programs have in common.

    Attributes:
        socket: the path of the control socket.
        stop_seconds: the one deadline of a stop, in whole seconds.
        include: glob of the operator's own files; empty where there are none.
        control: the TCP control port, if it was asked for.
        log_level: ``debug``, ``info``, ``warning`` or ``error``.
    """

    socket: str
    stop_seconds: int
    include: str = ""
    control: ControlPort | None = None
    log_level: str = "info"


def render(programs: Iterable[Program], daemon: Daemon) -> str:
    """Return the text of ``supervisord.conf``.

    ``essential``, ``together``, ``restarts``, ``reload_signal`` and ``environment_json`` are
    options of ours, which supervisor by itself does not look at.

    Raises:
        ConfigError: a value cannot be said in a line.
    """
    parts = [_section("supervisord", _supervisord(daemon)), *_control(daemon)]
    if daemon.include:
        parts.append(_section("include", {"files": _literal(daemon.include)}))
    parts.extend(_section(f"program:{one.name}", _program(one, daemon)) for one in programs)
    return "; Written by pastebox at each start; changes made here are lost.\n\n" + "\n".join(parts)


def _supervisord(daemon: Daemon) -> dict[str, str]:
    level = {"warning": "warn"}.get(daemon.log_level, daemon.log_level)
    return {
        "nodaemon": "true",
        "nocleanup": "true",
        "identifier": IDENTIFIER,
        "logfile": "/dev/null",
        "logfile_maxbytes": "0",
        "loglevel": level,
        "minfds": "64",
        "minprocs": "1",
    }


def _control(daemon: Daemon) -> Iterator[str]:
    yield _section("unix_http_server", {"file": _literal(daemon.socket), "chmod": "0600"})
    if daemon.control is not None:
        port = daemon.control
        host = f"[{port.host}]" if ":" in port.host else port.host
        yield _section(
            "inet_http_server",
            {
                "port": f"{host}:{port.port}",
                "username": _literal(port.user),
                "password": f"{{SHA}}{port.digest}",
            },
        )
    factory = {"supervisor.rpcinterface_factory": "pastebox.daemon.control:supervisor_interface"}
    yield _section("rpcinterface:supervisor", factory)
    factory = {"supervisor.rpcinterface_factory": "pastebox.daemon.control:pastebox_interface"}
    yield _section("rpcinterface:pastebox", factory)
    yield _section("supervisorctl", {"serverurl": f"unix://{_literal(daemon.socket)}"})


def _program(program: Program, daemon: Daemon) -> dict[str, str]:
    values = {
        "command": _command(program),
        "priority": str(program.priority),
        "autostart": _flag(program.autostart),
        "autorestart": {"always": "true", "never": "false"}.get(program.restart, "unexpected"),
        "startsecs": str(program.start_seconds),
        "startretries": str(program.restarts),
        "exitcodes": ",".join(map(str, program.exit_codes)),
        "stopsignal": program.stop_signal,
        "stopwaitsecs": str(program.stop_seconds or daemon.stop_seconds),
        "killasgroup": "true",
        "stdout_logfile": "NONE",
        "stderr_logfile": "NONE",
        "essential": _flag(program.essential),
        "restarts": str(program.restarts),
    }
    if program.together:
        values["together"] = program.together
    if program.reload_signal:
        values["reload_signal"] = program.reload_signal
    if program.directory:
        values["directory"] = _literal(program.directory)
    if program.user:
        values["user"] = _literal(program.user)
    if program.environment:
        values["environment_json"] = _json(program.environment)
    return values


def _command(program: Program) -> str:
    """Quote the words so that supervisor reads them as they are."""
    for word in program.command:
        _refuse_lines(word, f"the command of {program.name}")
    text = shlex.join(program.command)
    # It stands inside of quotes, which are closed and opened again before it.
    return _COMMENT.sub(r"''\g<0>", text).replace("%", "%%")


def _json(environment: Mapping[str, str]) -> str:
    """Return one line in which no character means anything to the parser."""
    text = json.dumps(dict(environment), sort_keys=True)
    for mark in (*_MARKS, "%"):
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _literal(text: str) -> str:
    _refuse_lines(text, "a path or a name")
    if _COMMENT.search(text) or text != text.strip():
        raise ConfigError(found=f'"{text}"', expected="a value without a blank before # or ;")
    return text.replace("%", "%%")


def _refuse_lines(text: str, what: str) -> None:
    if not text.isprintable() and any(mark in text for mark in "\n\r\0\v\f\x1c\x1d\x1e\x85"):
        raise ConfigError(f"{what} has a line break in it", found=repr(text))


def _flag(value: object) -> str:
    return "true" if value else "false"


def _section(name: str, values: Mapping[str, str]) -> str:
    lines: Sequence[str] = [f"{option} = {value}\n" for option, value in values.items()]
    return f"[{name}]\n" + "".join(lines)
