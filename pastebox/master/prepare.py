"""From a request to everything that serving needs, without importing the application."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pastebox.config.locate import Located, locate
from pastebox.config.model import AppSource, Bind, ConfigSpec, Origin, ServerSpec
from pastebox.config.read import Config, read
from pastebox.config.server import server_spec
from pastebox.config.source import app_source
from pastebox.errors import ConfigError, PasteboxError, UnavailableError
from pastebox.master.request import ServeRequest
from pastebox.runners.base import Runner, RunnerInfo
from pastebox.runners.job import Job
from pastebox.runners.registry import load_runner, with_environ
from pastebox.settings import WEB_CONCURRENCY, Settings, resolve

if TYPE_CHECKING:
    from pastebox.process.cgroup import Limits


class Prepared(NamedTuple):
    """All that follows from the INI and the settings.

    ``workers`` processes serve the sockets; a runner that makes them itself does so in one
    process of ours.
    """

    settings: Settings
    source: AppSource
    config: Config
    spec: ServerSpec
    runner: Runner
    binds: tuple[Bind, ...]
    environ: Mapping[str, str]
    workers: int

    @property
    def processes(self) -> int:
        """How many processes the master starts."""
        return 1 if self.runner.info.multiprocess else self.workers

    @property
    def runner_target(self) -> str:
        """Where the runner is, for a worker to import it: ``module:attribute``."""
        kind = type(self.runner)
        return f"{kind.__module__}:{kind.__qualname__}"

    @property
    def takes_cpu(self) -> bool:
        """Whether each process keeps to a CPU; children of its own would share its one."""
        info = self.runner.info
        return self.settings.cpu_affinity == "auto" and not (info.multiprocess or info.forks)

    def job(
        self, *, slot: int, generation: int, notify_address: str, cpu: int, request_limit: int
    ) -> Job:
        """Return what a worker has to do."""
        settings = self.settings
        return Job(
            runner=self.runner_target,
            source=self.source,
            spec=self.spec,
            environ=dict(self.environ),
            notify_address=notify_address,
            slot=slot,
            generation=generation,
            workers=self.workers,
            drain_timeout_s=settings.drain_timeout,
            access_log=settings.access_log,
            log_format=settings.log_format,
            log_level=settings.log_level,
            has_loggers=self.config.has_loggers,
            cpu=cpu if self.takes_cpu else None,
            request_limit=request_limit,
            stuck_after_s=settings.stuck_after,
        )


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
    _check_development(settings)
    server = server_spec(config, settings)
    server = with_environ(server, request.environ)
    runner = load_runner(server)
    if settings.max_requests:
        server = recycled_by_itself(server, settings, runner.info.recycling)
    binds = runner.binds(server)
    if not binds and runner.info.adopts_sockets:
        raise ConfigError("the server has no address to listen on", file=server.file)
    info = runner.info
    workers, why = worker_count(
        settings,
        server.options.get("workers"),
        is_multiprocess=info.multiprocess,
        per_cpu=info.workers_per_cpu,
    )
    if settings.debugpy is not None:
        workers, why = _debugged_count(settings, info, workers)
    prepared = Prepared(settings, source, config, server, runner, binds, request.environ, workers)
    notes = [why, _about_cpus(prepared)] if settings.cpu_affinity == "auto" else [why]
    return prepared._replace(spec=server._replace(notes=(*server.notes, *filter(None, notes))))


def _check_development(settings: Settings) -> None:
    """Refuse what is for development only where nobody has said that this is.

    Raises:
        ConfigError: it is not, or what is asked for needs more.
        UnavailableError: the debugger is not installed.
    """
    hint = "PASTEBOX_DEV=on says that this is"
    if settings.livereload and not settings.dev:
        raise ConfigError(
            "pages are changed by it, which is for development only",
            option="PASTEBOX_LIVERELOAD",
            hint=hint,
        )
    if settings.wait_for_client and settings.debugpy is None:
        raise ConfigError(
            "there is no debugger whose client could be waited for",
            option="PASTEBOX_WAIT_FOR_CLIENT",
            hint="PASTEBOX_DEBUGPY=5678 has one listen on that port",
        )
    if settings.debugpy is None:
        return
    if not settings.dev:
        raise ConfigError(
            "whoever reaches that port can run any code, which is for development only",
            option="PASTEBOX_DEBUGPY",
            hint=hint,
        )
    from importlib.util import find_spec  # noqa: PLC0415  # where it is asked for

    if find_spec("debugpy") is None:
        raise UnavailableError(
            "the debugger debugpy is not installed",
            option="PASTEBOX_DEBUGPY",
            hint='pip install "pastebox[debug]"',
        )


def _debugged_count(settings: Settings, info: RunnerInfo, workers: int) -> tuple[int, str]:
    """Return how many processes serve under a debugger, and why: it stops one.

    Raises:
        ConfigError: somebody wants more of them.
    """
    if info.forks:
        raise ConfigError(
            f"cannot be used with {info.name}, whose processes are forked after the loading",
            option="PASTEBOX_DEBUGPY",
            hint=f"PASTEBOX_SERVER={info.name.replace('_fork', '_thread')} has threads instead",
        )
    given = settings.given("workers")
    if workers > 1 and given is not None and given.text != "auto":
        raise ConfigError(
            "cannot be used with several workers: a debugger stops one of them",
            option="PASTEBOX_DEBUGPY",
            found=f"workers = {workers} by {settings.origin('workers')}",
            expected="one worker",
        )
    return 1, f"workers=1 instead of {workers}: a debugger stops one" if workers > 1 else ""


def recycled_by_itself(
    server: ServerSpec, settings: Settings, names: tuple[str, ...] | None
) -> ServerSpec:
    """Return the server with ``max_requests`` as options of its own, where it recycles by itself.

    What its section says by itself stays.

    Raises:
        ConfigError: nobody can recycle its processes.
    """
    if names is None:
        return server
    if not names:
        raise ConfigError(
            f"cannot be used with the server {server.runner}, whose requests nobody counts",
            option=settings.origin("max_requests"),
            hint="leave it out, or choose another server",
        )
    options, origins = dict(server.options), dict(server.origins)
    if names[0] not in options:
        for name, setting in zip(names, ("max_requests", "max_requests_jitter"), strict=False):
            options[name] = str(getattr(settings, setting))
            origins[name] = Origin(settings.origin(setting))
    return server._replace(options=options, origins=origins)


def _about_cpus(prepared: Prepared) -> str:
    from pastebox.master.sizing import told_cpus  # noqa: PLC0415  # only where it was asked for

    if not prepared.takes_cpu:
        name = prepared.runner.info.name
        return f"cpu_affinity=auto: no effect with {name}, whose processes are its own"
    return told_cpus(prepared.workers)


def worker_count(
    settings: Settings,
    option: str | None,
    *,
    is_multiprocess: bool,
    per_cpu: float,
    limits: "Callable[[], Limits] | None" = None,
) -> tuple[int, str]:
    """Return how many workers serve, and why where that was ours to decide.

    The setting comes first, then the server's own ``workers`` option where it has processes of
    its own, then ``WEB_CONCURRENCY``, which a platform sets and nobody chose. Where nobody says a
    number, such a server gets as many as fit, every other gets one.
    """
    given = settings.given("workers")
    said = settings.workers if given else None
    if given and given.origin.endswith(WEB_CONCURRENCY) and is_multiprocess and option:
        said = None
    if said is None and is_multiprocess:
        said = int(option, 0) if option and option != "auto" else 0
    if said != 0:
        return said or settings.workers, ""
    from pastebox.master.sizing import size  # noqa: PLC0415  # only where nobody says a number
    from pastebox.process.cgroup import read_limits  # noqa: PLC0415  # likewise

    return size((limits or read_limits)(), per_cpu=per_cpu)


_ADDRESSES = {
    "unix": ("unix_socket", "socket", "uds", "bind", "listen", "host"),
    "host": ("host", "listen", "bind"),
    "port": ("port", "listen", "bind", "host"),
}
"""The options that servers have for a path, a host and a port."""


def place(error: PasteboxError, bind: Bind, server: ServerSpec) -> None:
    """Say in an error about an address where the address was written."""
    part = "host" if isinstance(error, ConfigError) else "port"  # a port is in use, or not ours
    for name in _ADDRESSES["unix" if bind.kind == "unix" else part]:
        origin = server.origins.get(name)
        if origin is not None:
            error.file, error.line = origin.file, origin.line
            error.section = server.section if origin.file else None
            error.option = name if origin.file else origin.text
            return
