"""What ``pastebox explain`` says of daemon mode: the programs, how each ends, and when all must."""

from __future__ import annotations

import configparser
import glob
import os
import shlex
from collections.abc import Iterator, Mapping

from pastebox.config.read import Config
from pastebox.daemon.own_options import OwnOptions, own_options
from pastebox.daemon.plan import SPARE_S, daemon_of, web_program
from pastebox.daemon.programs import WEB, Program
from pastebox.daemon.rundir import run_dir
from pastebox.daemon.sections import read_programs
from pastebox.daemon.start import refuse_without_supervisor
from pastebox.errors import ConfigError
from pastebox.master.budget import WINDOW_S
from pastebox.master.request import ServeRequest
from pastebox.settings import Settings

_KINDS = ("program:", "fcgi-program:", "eventlistener:")
_RESTARTS = {
    "always": "starts again whatever its status",
    "never": "does not start again",
}


def programs(
    config: Config, request: ServeRequest, settings: Settings, environ: Mapping[str, str]
) -> Iterator[str]:
    """Yield a line for each program, and how long a stop of all of them can take.

    Raises:
        PasteboxError: a program is wrong, or supervisor is not there.
    """
    directory = run_dir(settings, environ)
    found = read_programs(config, web_program(request, directory), environ)
    daemon = daemon_of(settings, directory)
    for one in sorted(found, key=lambda one: one.priority):
        yield from told(one)
    for path in sorted(glob.glob(os.path.join(settings.supervisor_dir, "*.conf"))):
        yield from _of_file(path, environ)
    yield (
        f"a stop: {daemon.stop_seconds:g} s for all of them together: drain_delay"
        f" {settings.drain_delay:g}, drain_timeout {settings.drain_timeout:g}, spare {SPARE_S:g}"
    )
    steps = sorted({one.priority for one in found}, reverse=True)
    if len(steps) > 1:
        yield f"the order of a stop: priority {', then '.join(map(str, steps))}"
    yield f"control: {daemon.socket}"
    if daemon.control is not None:
        yield f"control: {daemon.control.host}:{daemon.control.port}, with a password"
    refuse_without_supervisor()


def told(one: Program) -> Iterator[str]:
    """Yield what it is, and what becomes of it."""
    yield f"{one.name}: {'the application' if one.name == WEB else shlex.join(one.command)}"
    yield f"  {_essential(one.essential, one.together)}"
    codes = ", ".join(map(str, one.exit_codes))
    again = _RESTARTS.get(one.restart, f"starts again, unless its status is {codes}")
    budget = f", {one.restarts} times in {WINDOW_S / 60:g} minutes, each after a longer pause"
    yield f"  {again}{'' if one.restart == 'never' else budget}"
    if one.stop_seconds:
        yield f"  ends {one.stop_seconds} s after {one.stop_signal} when it alone is stopped"
    if not one.autostart:
        yield f"  begins with pastebox ctl start {one.name}"


def _essential(is_essential: bool, together: str = "") -> str:  # noqa: FBT001  # an option
    if not is_essential:
        return "not essential: the others go on without it"
    if together:
        return f"essential, with the others of {together}: the last one's end is the end of all"
    return "essential: when it has ended, all end with its status"


def _of_file(path: str, environ: Mapping[str, str]) -> Iterator[str]:
    """Say what supervisor will find in an operator's file, as far as that is ours to know."""
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except (OSError, ValueError, configparser.Error) as error:
        raise ConfigError(f"cannot be read: {' '.join(str(error).split())}", file=path) from error
    for section in parser.sections():
        if section.startswith(_KINDS):
            name, command = section.partition(":")[2], parser.get(section, "command", fallback="")
            yield f"{name}: {command}  ({path})"
            own = _own_of(parser, section, path, environ)
            yield f"  {_essential(own.essential, own.together)}"
            yield f"  {own.restarts} restarts"
        elif section.startswith("group:"):
            yield f"{section}  ({path})"


def _own_of(
    parser: configparser.RawConfigParser, section: str, path: str, environ: Mapping[str, str]
) -> OwnOptions:
    """Read them as supervisor does, which puts a variable in the place of ``%(ENV_X)s``."""
    given = {f"ENV_{name}": text for name, text in environ.items()}
    try:
        return own_options(
            lambda name, default: parser.get(section, name, fallback=default) % given
        )
    except KeyError as error:
        told = f"%({error.args[0]})s has no value"
    except (TypeError, ValueError) as error:
        told = str(error)
    raise ConfigError(told, file=path, section=section)
