"""From a request to everything that serving needs, without importing the application."""

from __future__ import annotations

import os
from typing import NamedTuple

from pastebox.config.locate import Located, locate
from pastebox.config.model import AppSource, Bind, ConfigSpec, Origin, ServerSpec
from pastebox.config.read import Config, read
from pastebox.config.server import server_spec
from pastebox.config.source import app_source
from pastebox.errors import ConfigError
from pastebox.master.request import ServeRequest
from pastebox.runners.base import Runner
from pastebox.runners.registry import load_runner
from pastebox.settings import Settings, resolve


class Prepared(NamedTuple):
    """All that follows from the INI and the settings."""

    settings: Settings
    source: AppSource
    config: Config
    spec: ServerSpec
    runner: Runner
    binds: tuple[Bind, ...]


def find(request: ServeRequest) -> tuple[Located, Settings]:
    """Find the INI, and resolve the settings as far as they go without its ``[pastebox]``.

    Raises:
        PasteboxError: see :func:`pastebox.config.locate.locate` and
            :func:`pastebox.settings.resolve`.
    """
    settings = resolve(request.arguments, request.environ)
    located = locate(
        request.argument or settings.ini, settings, environ=request.environ, cwd=os.getcwd()
    )
    return located, settings


def prepare(request: ServeRequest, spec: ConfigSpec, early: Settings) -> Prepared:
    """Read and check everything that can be checked before the application is loaded.

    Raises:
        ConfigError: the INI, a setting or an option of the server is wrong.
        UnavailableError: the server is not installed.
    """
    source = app_source(spec, early, request.words, request.environ, request.sets)
    config = read(source, request.environ)
    settings = resolve(request.arguments, request.environ, config.pastebox_section())
    server = server_spec(config, settings)
    runner = load_runner(server)
    binds = runner.binds(server)
    if not binds:
        raise ConfigError("the server has no address to listen on", file=server.file)
    return Prepared(settings, source, config, server, runner, binds)


def bind_origin(prepared: Prepared) -> Origin | None:
    """Return where the address was written, for errors about it."""
    for name in ("port", "host", "listen", "unix_socket"):
        if name in prepared.spec.origins:
            return prepared.spec.origins[name]
    return None
