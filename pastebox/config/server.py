"""Resolve ``[server:NAME]`` to a ServerSpec; no entry point is imported for it."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from pastebox.config.aliases import family, runner_of
from pastebox.config.bind import place_bind, survivors
from pastebox.config.model import Origin, ServerSpec
from pastebox.config.parser import IniParser
from pastebox.config.read import Config
from pastebox.config.sections import (
    SERVER_PREFIXES,
    candidates,
    find_section,
    include_path,
    is_uri,
    section_conf,
)
from pastebox.errors import ConfigError
from pastebox.settings import Settings

PROTOCOLS = ("paste.server_factory", "paste.server_runner")
DEFAULT_RUNNER = "waitress"
ADDRESS = ("host", "port")
"""Options of a server that settings of the same name replace."""


class _Resolved(NamedTuple):
    """What a chain of ``use`` comes to."""

    use: str
    protocol: str
    options: dict[str, str]
    global_conf: dict[str, str]
    origins: dict[str, Origin]


def server_spec(config: Config, settings: Settings) -> ServerSpec:
    """Return what serves, after aliases and the ``server``, ``host`` and ``port`` settings.

    ``file.ini#blog`` is served by ``[server:blog]`` where there is one, else by
    ``[server:main]``, else by waitress.

    Raises:
        ConfigError: the section, or one that it uses, is wrong.
    """
    name = config.source.spec.name
    sections = config.sections()
    notes: list[str] = []
    if candidates(sections, SERVER_PREFIXES, name):
        section = find_section(config.parser, SERVER_PREFIXES, name)
    elif candidates(sections, SERVER_PREFIXES, "main"):
        section = find_section(config.parser, SERVER_PREFIXES, "main")
        notes.append(f"there is no [server:{name}], [server:main] serves")
    else:
        section = ""
        notes.append(f"the INI has no [server:main], {DEFAULT_RUNNER} serves")
    if section:
        replaced = frozenset(name for name in ADDRESS if getattr(settings, name) is not None)
        found = _resolve(config, config.parser, section, config.source.variables, (), replaced)
    else:
        origin = Origin("default, there is no [server:main]")
        globals_ = {**config.parser.defaults(), **config.source.variables}
        found = _Resolved(f"egg:{DEFAULT_RUNNER}#main", "", {}, globals_, {"use": origin})
    runner = runner_of(found.use)
    options, origins = dict(found.options), dict(found.origins)
    protocol = found.protocol
    if settings.server is not None:
        chosen = runner_of(settings.server)
        origins["use"] = Origin(settings.origin("server"))
        if family(chosen) != family(runner) or protocol:
            options = survivors(options, origins, notes, runner, chosen)
        runner, protocol = chosen, ""
        found = found._replace(use=settings.server)
    place_bind(options, origins, notes, settings, runner)
    return ServerSpec(
        runner=runner,
        use=found.use,
        section=section or "server:main",
        file=config.parser.filename,
        options=options,
        global_conf=found.global_conf,
        origins=origins,
        protocol=protocol,
        notes=tuple(notes),
    )


def _resolve(
    config: Config,
    parser: IniParser,
    section: str,
    global_conf: Mapping[str, str],
    chain: tuple[tuple[str, str], ...],
    replaced: frozenset[str],
) -> _Resolved:
    """Follow ``use`` from one section; the nearer section's options win."""
    here = (parser.filename, section)
    if here in chain:
        names = " -> ".join(f"[{name}]" for _, name in (*chain[chain.index(here) :], here))
        raise parser.error(section, "use", f"refers to itself: {names}")
    conf = section_conf(parser, section, global_conf, replaced)
    local = dict(conf.local_conf)
    local.pop("require", None)
    explicit = [key for key in PROTOCOLS if key in local]
    if "use" not in local:
        if not explicit:
            raise _no_use(parser, section)
        protocol, target = explicit[0], f"call:{local.pop(explicit[0])}"
        origins = {**conf.places, "use": parser.place(section, protocol)}
        return _Resolved(target, protocol, local, conf.global_conf, origins)
    use = local.pop("use").strip()
    base = _used(config, parser, section, use, conf.global_conf, (*chain, here), replaced)
    merged_globals = {**base.global_conf, **conf.additions}
    return _Resolved(
        base.use,
        base.protocol,
        {**base.options, **local},
        merged_globals,
        {**base.origins, **conf.places},
    )


def _used(
    config: Config,
    parser: IniParser,
    section: str,
    use: str,
    global_conf: Mapping[str, str],
    chain: tuple[tuple[str, str], ...],
    replaced: frozenset[str],
) -> _Resolved:
    """Resolve what ``use`` names: an entry point, a section here, or one in another file."""
    scheme = use.partition(":")[0].lower() if is_uri(use) else ""
    if scheme in {"egg", "call"}:
        protocol = "paste.server_factory" if scheme == "call" else ""
        return _Resolved(use, protocol, {}, dict(global_conf), {})
    if scheme and scheme != "config":
        raise parser.error(
            section,
            "use",
            found=f'the scheme "{scheme}:"',
            expected="egg:, config:, call: or the name of a section",
            hint=f"for [{use}] write: use = {use.partition(':')[2]}"
            if scheme == "server"
            else None,
        )
    try:
        if not scheme:
            target = find_section(parser, SERVER_PREFIXES, use)
            return _resolve(config, parser, target, global_conf, chain, replaced)
        path, name = include_path(use, os.path.dirname(parser.filename))
        other = config.documents.included(path, global_conf)
        target = find_section(other, SERVER_PREFIXES, name or "main")
    except ConfigError as error:
        raise _from(parser, section, use, error) from error.__cause__
    return _resolve(config, other, target, global_conf, chain, replaced)


def _from(parser: IniParser, section: str, use: str, error: ConfigError) -> ConfigError:
    """Point an error without a section at the ``use`` that led to it."""
    if error.section is not None:
        return error
    if error.file and error.file != parser.filename:
        return parser.error(section, "use", f"{use}: {error}", hint=error.hint)
    return parser.error(
        section, "use", error.message, found=error.found, expected=error.expected, hint=error.hint
    )


def _no_use(parser: IniParser, section: str) -> ConfigError:
    place = [parser.place(section, option) for option in parser.own_options(section)]
    lines = [origin.line for origin in place if origin.line]
    return ConfigError(
        "names no server",
        file=parser.filename or None,
        line=min(lines, default=None),
        section=section,
        option="use",
        expected=f"use = egg:{DEFAULT_RUNNER}#main, or a paste.server_runner",
    )
