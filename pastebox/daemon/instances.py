"""Many instances: each INI of a directory, with what it needs to be served beside the others."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping

from pastebox.config.locate import ini_names
from pastebox.config.model import ConfigSpec
from pastebox.config.read import read_leniently
from pastebox.config.source import app_source
from pastebox.daemon.instances_model import Base, Found, Instance, Refused
from pastebox.daemon.instances_taken import Taken, health_bind
from pastebox.daemon.plan import SPARE_S, ourselves
from pastebox.daemon.programs import NAME, NAME_EXPECTED, WEB, Program
from pastebox.daemon.sections import read_programs
from pastebox.errors import ConfigError, PasteboxError
from pastebox.master.prepare import Prepared, prepare
from pastebox.master.request import ServeRequest
from pastebox.option import Given
from pastebox.process.atomic import make_directory
from pastebox.settings import Settings, options, resolve
from pastebox.watch.drift import Facts

HEALTH = "pastebox-health"
"""The program that answers on the health port for all of them."""

TOGETHER = "instances"
"""Of which the last one ends the whole, where they all have to fail for that."""

_RESERVED = frozenset({HEALTH, "all", "supervisord"})
_NOT_FOR_ALL = (
    *("INI", "MODE", "HOST", "PORT", "HEALTH_HOST", "HEALTH_PORT", "LIVERELOAD_PORT", "DEBUGPY"),
    *("DATA_DIR", "RUN_DIR", "LOCK_NAME", "INSTANCES_DIR", "INSTANCES_FAIL"),
)
_LONGEST_SOCKET = 107
_OWN = ("data_dir", "lock_name")


def base_of(request: ServeRequest, settings: Settings, run_dir: str) -> Base:
    """Return what the words and settings of the daemon say about all instances."""
    given = {row.environment: request.arguments.get(row.name) for row in options()}
    return Base(
        directory=os.path.abspath(settings.instances_dir),
        data_dir=os.path.abspath(settings.data_dir) if settings.data_dir else "",
        run_dir=os.path.abspath(run_dir),
        host=settings.host or "",
        health_host=settings.health_host,
        health_port=settings.health_port,
        lock_name=settings.lock_name,
        fail=settings.instances_fail,
        flags=leave_out({name: text for name, text in given.items() if text is not None}),
        words=dict(request.words),
        sets=request.sets,
    )


def refuse_beside(spec: ConfigSpec | None, settings: Settings) -> None:
    """Refuse an INI that is to be served beside instances.

    Raises:
        ConfigError: there is one.
    """
    if spec is not None:
        raise ConfigError(
            f"{spec.path} is to be served ({spec.origin}), and so are the instances of"
            f" {settings.instances_dir}",
            hint="move it to them: each *.ini there is served",
        )


def leave_out(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what is each instance's own.

    What somebody has said for one server, the address above all, cannot hold for five.
    """
    own = {f"PASTEBOX_{name}" for name in _NOT_FOR_ALL}
    own |= {f"{name}_FILE" for name in own} | {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"}
    return {name: text for name, text in environ.items() if name not in own}


def find(base: Base, environ: Mapping[str, str], running: Iterable[Instance] = ()) -> Found:
    """Read and check every INI of the directory.

    A file that is wrong harms no other. Of two that want the same name or the same address the
    one that is running has it, else the first.

    Args:
        base: what they have in common.
        environ: the daemon's own environment.
        running: the instances that are there already.

    Raises:
        NoPermissionError: the directory may not be read.
    """
    before = {one.name: one for one in running}
    examined: list[Instance] = []
    refused: list[Refused] = []
    taken = Taken(health_bind(base))

    def refuse(name: str, path: str, error: PasteboxError) -> None:
        shown = ascii(name)[1:-1]
        refused.append(Refused(shown, path, str(error), error.hint or "", int(error.exit_code)))
        if name in before:  # it goes on as it is, and keeps what it has
            taken.keep(before[name])

    for file_name in ini_names(base.directory):
        name = file_name.removesuffix(".ini")
        path = os.path.join(base.directory, file_name)
        try:
            examined.append(_examine(check_name(name, path), path, base, leave_out(environ)))
        except PasteboxError as error:
            refuse(name, path, error)

    def precedence(one: Instance) -> tuple[bool, bool, str]:
        there = before.get(one.name)
        return there is None, there is not None and there.binds != one.binds, one.name

    found: list[Instance] = []
    for instance in sorted(examined, key=precedence):
        try:
            taken.take(instance)
            found.append(instance)
        except PasteboxError as error:
            refuse(instance.name, instance.path, error)
    return Found(
        tuple(sorted(found, key=lambda one: one.name)),
        tuple(sorted(refused, key=lambda one: one.name)),
    )


def check_name(name: str, path: str) -> str:
    """Return the name if it can be one.

    It is part of paths, of a program's name and of a metric's label.

    Raises:
        ConfigError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            file=ascii(path)[1:-1],
            found=f"the name {name!a}",
            expected=NAME_EXPECTED,
            hint="the file's name without .ini is the instance's name: rename the file",
        )
    if name.lower() in _RESERVED:
        raise ConfigError(
            f'the name "{name}" is taken by pastebox itself', file=path, hint="rename the file"
        )
    return name


def make_places(instance: Instance) -> None:
    """Create the directories of an instance: its data, and its sockets.

    Raises:
        NoPermissionError, CannotCreateError: one cannot be created.
    """
    make_directory(instance.data_dir)
    make_directory(os.path.dirname(instance.health), mode=0o700)


def _examine(name: str, path: str, base: Base, environ: Mapping[str, str]) -> Instance:
    """Read one INI as its own process will, and check all that can be checked without it."""
    spec = ConfigSpec("config", path, "main", "instances")
    common = {**without_files(environ, base.flags), **base.flags}
    early = resolve({}, common)
    source = app_source(spec, early, base.words, common, base.sets)
    places = _places(name, path, base, read_leniently(source, common).pastebox_section())
    full = {**common, **places}
    prepared = prepare(ServeRequest(path, {}, base.words, base.sets, full), spec, early)
    settings = prepared.settings
    health = _refuse_long(places["PASTEBOX_HEALTH_HOST"].removeprefix("unix:"), path)
    return Instance(
        name=name,
        path=path,
        data_dir=settings.data_dir or "",
        health=health,
        binds=prepared.binds,
        stop_s=settings.drain_delay + settings.drain_timeout,
        programs=_programs(name, base, prepared, {**base.flags, **places}),
    )


def without_files(environ: Mapping[str, str], flags: Mapping[str, str]) -> dict[str, str]:
    """Leave out the ``_FILE`` sisters of variables that a flag decides."""
    files = {f"{name}_FILE" for name in flags}
    return {name: text for name, text in environ.items() if name not in files}


def _refuse_long(socket: str, path: str) -> str:
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        raise ConfigError(
            f"the socket {socket} has a longer name than a socket can have",
            file=path,
            hint="set PASTEBOX_RUN_DIR to a shorter path, or shorten the name of the file",
        )
    return socket


def _programs(
    name: str, base: Base, prepared: Prepared, environ: Mapping[str, str]
) -> tuple[Program, ...]:
    """Return what serves an INI, and the programs of its sections, under names of their own.

    Where all instances have to fail, no other program of one is essential.
    """
    settings = prepared.settings
    full = prepared.environ
    is_job = settings.setup == "only"  # each ends when it is set up, the whole with the last
    web = Program(
        name=WEB,
        command=(
            *(*ourselves(), "serve", prepared.source.spec.path),
            *(f"{word}={text}" for word, text in base.words.items()),
            *(word for pair in base.sets for word in ("--set", *pair)),
        ),
        essential=True,
        together=TOGETHER if base.fail == "all" or is_job else "",
        restart="unexpected" if is_job else "always",
        stop_seconds=math.ceil(settings.drain_delay + settings.drain_timeout + SPARE_S),
        reload_signal="HUP",
        digest=Facts(prepared.config, settings, full).digest,
        binds=prepared.binds,
    )
    found = []
    for one in read_programs(prepared.config, web, full):
        is_web = one.name == WEB
        program = one._replace(
            name=name if is_web else f"{name}-{one.name}",
            environment={**environ, **one.environment},
            essential=one.essential and (is_web or base.fail == "any"),
        )
        found.append(program)
    return tuple(found)


def _places(name: str, path: str, base: Base, own: Mapping[str, Given]) -> dict[str, str]:
    """Return the variables of one instance; what its ``[pastebox]`` section says has its way."""
    said = {option: own[option].text for option in _OWN if option in own}
    directory = os.path.dirname(path)
    data_dir = os.path.join(base.data_dir, name) if base.data_dir else directory
    run_dir = os.path.join(base.run_dir, "instances", name)
    found = {
        "PASTEBOX_MODE": "foreground",
        "PASTEBOX_DATA_DIR": os.path.join(directory, said.get("data_dir", data_dir)),
        "PASTEBOX_RUN_DIR": run_dir,
        "PASTEBOX_HEALTH_HOST": f"unix:{os.path.join(run_dir, 'health.sock')}",
        "PASTEBOX_LOCK_NAME": said.get("lock_name", f"{base.lock_name}-{name}".lower()),
    }
    if base.host and "host" not in own:
        found["PASTEBOX_HOST"] = base.host
    return found
