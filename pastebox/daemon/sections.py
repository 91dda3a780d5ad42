"""The ``[pastebox:program:NAME]`` sections of an INI, read and checked before anything starts."""

import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable, Mapping
from typing import Any

from pastebox.config.parser import IniParser
from pastebox.config.read import Config
from pastebox.converters import FLAG, Converter, integer, one_of
from pastebox.daemon.programs import NAME, NAME_EXPECTED, RESTART_WORDS, WEB, Program
from pastebox.errors import ConfigError
from pastebox.settings import nearest

PREFIX = "pastebox:program:"
PROCESSES = integer(1, 100)


def _words(text: str) -> tuple[str, ...]:
    return tuple(shlex.split(text, comments=False))


def _environment(text: str) -> dict[str, str]:
    pairs = [word.partition("=") for word in _words(text)]
    if not all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and is_ for name, is_, _ in pairs):
        raise ValueError
    return {name: value for name, _, value in pairs}


def _signal(text: str) -> str:
    name = text.upper().removeprefix("SIG")
    if name not in SIGNALS:
        raise ValueError
    return name


def _codes(text: str) -> tuple[int, ...]:
    return tuple(integer(0, 255).read(word) for word in text.replace(",", " ").split())


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


SIGNALS = frozenset(one.name.removeprefix("SIG") for one in signal.Signals)
OPTIONS: Mapping[str, Converter[Any]] = {
    "command": Converter("a command line", _words),
    "directory": Converter("a directory", _text),
    "environment": Converter('words such as NAME=value OTHER="two words"', _environment),
    "priority": integer(-999, 9999),
    "essential": FLAG,
    "autostart": FLAG,
    "restart": one_of(*RESTART_WORDS),
    "restarts": integer(0, 1000),
    "start_seconds": integer(0, 3600),
    "exit_codes": Converter("numbers from 0 to 255", _codes),
    "stop_signal": Converter("a signal such as TERM", _signal),
    "reload_signal": Converter("a signal such as HUP", _signal),
    "user": Converter("a user name or number", _text),
    "processes": PROCESSES,
}
"""Every option of a program section; the names are those of :class:`Program`."""


def read_programs(
    config: Config,
    web: Program | None,
    environ: Mapping[str, str],
    *,
    which: Callable[..., str | None] = shutil.which,
) -> tuple[Program, ...]:
    """Return the programs of an INI: the application itself, and one for each section.

    ``[pastebox:program:web]`` changes options of the application; it has no command.

    Args:
        config: the INI.
        web: the program that serves it; ``None`` where nothing serves.
        environ: the environment of the daemon, in whose ``PATH`` commands are looked up.
        which: looks a command up; for tests.

    Raises:
        ConfigError: a section has no command or an unknown option, or its command is not there.
    """
    found = [] if web is None else [web]
    for section in config.sections():
        if not section.startswith(PREFIX):
            continue
        name = section.removeprefix(PREFIX)
        values = _values(config.parser, section)
        if web is not None and name == web.name:
            found[0] = _changed_web(config.parser, section, web, values)
            continue
        processes = values.pop("processes", 1)
        program = _program(config.parser, section, name, values)
        _refuse_absent(config.parser, section, program, environ, which)
        found.extend(_copies(program, processes))
    _refuse_twins(config, found)
    return tuple(found)


def _values(parser: IniParser, section: str) -> dict[str, Any]:
    values = {}
    for option in parser.own_options(section):
        if option not in OPTIONS:
            near = nearest(option, OPTIONS)
            raise parser.error(
                section,
                option,
                "is not an option of a program",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(OPTIONS)}",
            )
        text = str(parser.get(section, option)).strip()
        try:
            values[option] = OPTIONS[option].read(text)
        except ValueError:
            raise parser.error(
                section, option, found=f'"{text}"', expected=OPTIONS[option].expected
            ) from None
    return values


def _changed_web(parser: IniParser, section: str, web: Program, values: dict[str, Any]) -> Program:
    for option in ("command", "processes"):
        if option in values:
            raise parser.error(
                section,
                option,
                f"cannot be said of the program {WEB}, which is the application itself",
                hint="give the section another name"
                if option == "command"
                else "PASTEBOX_WORKERS is the number of its workers",
            )
    values["environment"] = {**web.environment, **values.get("environment", {})}
    return web._replace(**values)


def _program(parser: IniParser, section: str, name: str, values: dict[str, Any]) -> Program:
    if not NAME.fullmatch(name):
        raise ConfigError(
            file=parser.filename or None,
            section=section,
            found=f'the name "{name}"',
            expected=NAME_EXPECTED,
        )
    if not values.get("command"):
        place = parser.error(section, "command")
        raise ConfigError(
            file=place.file,
            line=place.line,
            section=section,
            option="command",
            message="is missing" if "command" not in values else "is empty",
            hint="command = what to run, such as %(here)s/bin/worker --queue mail",
        )
    return Program(name=name, **values)


def _refuse_absent(
    parser: IniParser,
    section: str,
    program: Program,
    environ: Mapping[str, str],
    which: Callable[..., str | None],
) -> None:
    """Refuse a command or a directory that is not there, before anything starts."""
    if program.directory and not os.path.isdir(program.directory):
        raise parser.error(
            section, "directory", found=f'"{program.directory}"', expected="a directory"
        )
    word = program.command[0]
    path = program.environment.get("PATH", environ.get("PATH"))
    where = os.path.join(program.directory, word) if os.sep in word else word
    if which(where, path=path) is None:
        is_there = os.sep in word and os.path.exists(where)
        raise parser.error(
            section,
            "command",
            found=f'"{word}", which is {"not executable" if is_there else "not there"}',
            expected="a program",
            hint=None if os.sep in word else f"it was looked for in PATH={path}",
        )


def _copies(program: Program, processes: int) -> list[Program]:
    if processes == 1:
        return [program]
    return [program._replace(name=f"{program.name}-{n}") for n in range(1, processes + 1)]


def _refuse_twins(config: Config, programs: list[Program]) -> None:
    seen = set()
    for program in programs:
        if program.name in seen:
            raise ConfigError(
                f"two programs are named {program.name}",
                file=config.source.spec.path,
                hint="a section with processes = 2 stands for NAME-1 and NAME-2",
            )
        seen.add(program.name)
