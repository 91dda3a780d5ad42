"""The one table of settings: argument, environment, ``[pastebox]`` section, default.

Every row of :class:`Settings` is an option. Its name gives all spellings: ``drain_delay`` is
``--drain-delay``, ``PASTEBOX_DRAIN_DELAY``, ``PASTEBOX_DRAIN_DELAY_FILE`` and ``drain_delay``
in the INI's ``[pastebox]`` section. The parser, the documentation and the tests read this table.
The rows alone make it more than 350 lines.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar, cast

from pastebox.converters import (
    FLAG,
    PORT,
    PORT_OR_OFF,
    SECONDS,
    TEXT,
    WORDS,
    WORKER_COUNT,
    integer,
    one_of,
)
from pastebox.environment import from_environment, read_value_file
from pastebox.errors import ConfigError, PasteboxError, UsageError
from pastebox.option import PREFIX, Given, Option, unset

T = TypeVar("T")


AJP_SECRET = "PASTEBOX_AJP_SECRET"  # noqa: S105  # a name
"""A variable without a row: a secret has no flag, as everybody can read a command line."""

INSTANCE_SEED = "PASTEBOX_INSTANCE_SEED"
"""Likewise: what the secrets of an INI that make-config makes are derived from."""

FENCING_TOKEN = "PASTEBOX_FENCING_TOKEN"  # noqa: S105  # a name
"""A variable that is not read but given: to a setup and to its hooks."""

WEB_CONCURRENCY = "WEB_CONCURRENCY"
"""A variable of many platforms: the number of workers where nobody says one in words of ours."""

EARLY = frozenset({"ini", "set", "overlay_dir", "secrets_dir", "mode", "run_dir"})
"""Settings that decide how the INI is found and read, or whether; its section is too late."""


class Settings:
    """The resolved settings. Each attribute is typed by its row's converter."""

    ini = unset("configuration", TEXT, "the INI file, or an egg: spec", metavar="FILE")
    app = unset(
        "configuration", TEXT, "the distribution that make-config configures", metavar="NAME"
    )
    set = unset(
        "configuration",
        TEXT,
        "lines of section|key=value that override the INI",
        metavar="LINES",
    )
    overlay_dir = Option(
        "configuration",
        "/etc/pastebox/conf.d",
        TEXT,
        "directory of *.ini files laid over the INI, in sorted order",
        metavar="DIR",
    )
    secrets_dir = Option(
        "configuration", "/run/secrets", TEXT, "directory of %(SECRET_name)s files", metavar="DIR"
    )
    data_dir = unset(
        "first boot",
        TEXT,
        "where .pastebox/ keeps the journal and a generated INI; the INI's directory by default",
        metavar="DIR",
    )
    setup = Option(
        "first boot",
        "auto",
        one_of("auto", "always", "never", "only", "wait"),
        "when to run setup-app: as the journal says, always, never, only that, or wait for it",
    )
    setup_on_partial = Option(
        "first boot",
        "retry",
        one_of("retry", "fail"),
        "what to do with a setup that was interrupted or failed",
    )
    setup_timeout = Option(
        "first boot", "1h", SECONDS, "time limit of one setup step", metavar="TIME"
    )
    lock = Option(
        "first boot",
        "file",
        one_of("file", "none", "lease", "postgresql", "auto"),
        "what keeps two first boots apart: a file, nothing, a Lease of Kubernetes, the"
        " application's database, or what suits of those",
    )
    lock_name = Option(
        "first boot",
        "pastebox",
        TEXT,
        "name of the Lease, or of the lock in the database",
        metavar="NAME",
    )
    lock_url = unset(
        "first boot",
        TEXT,
        "database of lock=postgresql, if not the one that the INI names",
        metavar="URL",
    )
    lock_timeout = Option(
        "first boot", "300s", SECONDS, "how long to wait for the lock", metavar="TIME"
    )
    wait_for = unset(
        "first boot",
        WORDS,
        "addresses to wait for before setup, such as tcp://db:5432",
        metavar="URLS",
    )
    wait_timeout = Option("first boot", "60s", SECONDS, "how long to wait for them", metavar="TIME")
    hooks_dir = Option(
        "first boot",
        "/docker-entrypoint.d",
        TEXT,
        "directory of <phase>/NN-name.{sh,py,envsh} hooks",
        metavar="DIR",
    )
    hook_timeout = Option("first boot", "300s", SECONDS, "time limit of one hook", metavar="TIME")
    mode = Option(
        "serving",
        "foreground",
        one_of("foreground", "daemon", "sleep"),
        "serve, serve beside other programs under supervisor, or stay up to be diagnosed",
    )
    server = unset("serving", TEXT, "the runner, instead of the INI's", metavar="NAME")
    host = unset(
        "serving", TEXT, "address to bind, or unix:/path, instead of the INI's", metavar="HOST"
    )
    port = unset("serving", PORT, "port to bind, instead of the INI's", metavar="PORT")
    workers = Option(
        "serving",
        "1",
        WORKER_COUNT,
        "worker processes, or auto, as many as fit; auto is the default of gunicorn",
        metavar="COUNT",
    )
    cpu_affinity = Option(
        "serving", "off", one_of("off", "auto"), "keep each worker on one CPU of its own"
    )
    on_config_change = Option(
        "serving",
        "warn",
        one_of("ignore", "warn", "reload", "exit"),
        "what to do when the INI, an overlay or a secret changes while it is served",
    )
    drain_delay = Option(
        "serving",
        "0s",
        SECONDS,
        "how long to go on accepting after TERM, while load balancers notice",
        metavar="TIME",
    )
    drain_timeout = Option(
        "serving", "20s", SECONDS, "how long running requests may take after that", metavar="TIME"
    )
    worker_restarts = Option(
        "serving",
        "5",
        integer(0, 1000),
        "deaths of a worker within ten minutes after which pastebox gives up",
        metavar="COUNT",
    )
    max_requests = Option(
        "serving",
        "0",
        integer(0, 999_999_999),
        "requests after which a worker is replaced by a fresh one; 0 for never",
        metavar="COUNT",
    )
    max_requests_jitter = Option(
        "serving",
        "0",
        integer(0, 999_999_999),
        "up to so many requests more, at random, so that workers do not end together",
        metavar="COUNT",
    )
    stuck_after = Option(
        "serving",
        "60s",
        SECONDS,
        "a request that runs longer is logged with the stack of its thread; 0 for never",
        metavar="TIME",
    )
    reload = Option(
        "development",
        "off",
        one_of("auto", "events", "poll", "off"),
        "follow changes of code, templates and INI: by events, by polling, or as the files need",
    )
    reload_wait = Option(
        "development",
        "10s",
        SECONDS,
        "how long requests wait for changed code to load before the old code answers them",
        metavar="TIME",
    )
    reload_ahead = Option(
        "development",
        "on",
        FLAG,
        "import what is installed before a change comes; off for a library that minds its order",
    )
    watch = unset(
        "development",
        WORDS,
        "more files to follow, as patterns such as data/**/*.csv",
        metavar="PATTERNS",
    )
    dev = Option(
        "development", "off", FLAG, "show errors of loading as a page; never for the public"
    )
    livereload = Option(
        "development", "off", FLAG, "have browsers load a page again after a change; needs dev"
    )
    livereload_port = Option(
        "development", "9091", PORT, "port on which browsers wait for that", metavar="PORT"
    )
    debugpy = unset(
        "development",
        PORT,
        "port on which a debugger (DAP) attaches to the application; needs dev",
        metavar="PORT",
    )
    wait_for_client = Option(
        "development", "off", FLAG, "load the application only when a debugger has attached"
    )
    supervisor_dir = Option(
        "daemon",
        "/etc/pastebox/supervisor.d",
        TEXT,
        "directory of *.conf files with more programs, as supervisor has them",
        metavar="DIR",
    )
    control_port = Option(
        "daemon", "off", PORT_OR_OFF, "TCP port for supervisorctl; or off", metavar="PORT"
    )
    control_host = Option("daemon", "127.0.0.1", TEXT, "address of that port", metavar="HOST")
    control_user = Option("daemon", "pastebox", TEXT, "user name at that port", metavar="NAME")
    control_password_file = unset(
        "daemon", TEXT, "file with the password for that port", metavar="FILE"
    )
    instances_dir = Option(
        "daemon",
        "/etc/pastebox/instances",
        TEXT,
        "directory of *.ini files, each of which is an instance in daemon mode",
        metavar="DIR",
    )
    instances_fail = Option(
        "daemon",
        "all",
        one_of("any", "all"),
        "whether the whole fails with any one of the instances, or when all have failed",
    )
    health_host = Option(
        "health",
        "127.0.0.1",
        TEXT,
        "address of the health port, or unix:/path for a socket",
        metavar="HOST",
    )
    health_port = Option(
        "health", "9090", PORT_OR_OFF, "port of /livez, /readyz, /metrics; or off", metavar="PORT"
    )
    ready_path = unset(
        "health",
        TEXT,
        "path that /readyz requests from the application itself",
        metavar="PATH",
    )
    log_format = Option(
        "logging", "ini", one_of("ini", "text", "json"), "the INI's [loggers] where it has them"
    )
    log_level = Option(
        "logging", "info", one_of("debug", "info", "warning", "error"), "the least level shown"
    )
    access_log = Option(
        "logging", "combined", one_of("off", "combined", "json"), "one line per request"
    )
    run_dir = unset(
        "process",
        TEXT,
        "directory of sockets; /run/pastebox, else a private temporary one",
        metavar="DIR",
    )
    faults = unset(
        "process",
        WORDS,
        "crash at named points; for tests, needs PASTEBOX_ALLOW_FAULTS=1",
        metavar="POINTS",
    )
    allow_faults = Option("process", "off", FLAG, "let PASTEBOX_FAULTS have its effect")

    def __init__(self, given: Mapping[str, Given]) -> None:
        self._given = dict(given)
        self._values: dict[str, object] = {}
        for option in options():
            self._values[option.name] = self._convert(option)

    def _convert(self, option: Option[T]) -> T | None:
        given = self._given.get(option.name)
        if given is None:
            return None if option.default is None else option.converter.read(option.default)
        try:
            return option.converter.read(given.text)
        except ValueError:
            raise _refusal(option, given) from None

    def value(self, option: Option[T]) -> T:
        """Return the converted value of one row."""
        return cast("T", self._values[option.name])

    def origin(self, name: str) -> str:
        """Say where the value of ``name`` came from, in words."""
        given = self._given.get(name)
        return given.origin if given else "default"

    def given(self, name: str) -> Given | None:
        """Return what somebody wrote for ``name``, or ``None`` for the default."""
        return self._given.get(name)


def options() -> tuple[Option[object], ...]:
    """Return the rows of the table, in order."""
    return tuple(row for row in vars(Settings).values() if isinstance(row, Option))


def resolve(
    arguments: Mapping[str, str],
    environ: Mapping[str, str],
    section: Mapping[str, Given] | None = None,
    *,
    read_file: Callable[[str], str] | None = None,
) -> Settings:
    """Settle every option: argument, then environment, then the INI's ``[pastebox]`` section.

    Args:
        arguments: option name to text, as argparse collected it.
        environ: the process environment.
        section: the ``[pastebox]`` section; ``None`` before the INI is known.
        read_file: reads the file of a ``_FILE`` variable; for tests.

    Raises:
        ConfigError: a bad value, an unknown key in the section, both ``X`` and ``X_FILE``.
        UsageError: a bad value on the command line.
    """
    given: dict[str, Given] = {}
    known = {option.name: option for option in options()}
    for name, entry in (section or {}).items():
        if name not in known:
            near = nearest(name, known)
            raise ConfigError(
                file=entry.file,
                line=entry.line,
                section="pastebox",
                option=name,
                message="is not a setting",
                hint=f"did you mean {near}?" if near else "pastebox serve --help lists them",
            )
        if name in EARLY:
            raise ConfigError(
                file=entry.file,
                line=entry.line,
                section="pastebox",
                option=name,
                message="cannot be set here, for it is needed before the INI is read",
                hint=f"use {known[name].flag} or {known[name].environment}",
            )
        given[name] = entry
    for option in known.values():
        found = from_environment(option.environment, environ, read_file or read_value_file)
        if found is not None:
            given[option.name] = found
    if "workers" not in given and environ.get(WEB_CONCURRENCY):
        given["workers"] = Given(environ[WEB_CONCURRENCY], f"environment {WEB_CONCURRENCY}")
    for name, text in arguments.items():
        given[name] = Given(text, f"argument {known[name].flag}")
    return Settings(given)


def unknown_names(environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Yield each ``PASTEBOX_*`` variable that no row explains, with the nearest known name."""
    known = {option.environment for option in options()} | {AJP_SECRET, INSTANCE_SEED}
    known |= {f"{name}_FILE" for name in known} | {FENCING_TOKEN}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield name, nearest(name, known)


def nearest(name: str, known: Mapping[str, object] | frozenset[str] | set[str]) -> str | None:
    """Return the known name most like ``name``, or ``None`` when none is near."""
    import difflib  # noqa: PLC0415  # only mistakes pay for it

    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return found[0] if found else None


def _refusal(option: Option[T], given: Given) -> PasteboxError:
    hint = None
    if given.origin.startswith("environment") and given.text.startswith("tcp://"):
        hint = (
            "Kubernetes sets this variable for a Service of that name;"
            " set enableServiceLinks: false in the pod"
        )
    if given.origin.startswith("argument"):
        return UsageError(
            option=option.flag,
            found=f'"{given.text}"',
            expected=option.converter.expected,
            hint=hint,
        )
    in_ini = given.line is not None
    variable = given.origin.removeprefix("environment ")
    return ConfigError(
        file=given.file,
        line=given.line,
        section="pastebox" if in_ini else None,
        option=option.name
        if in_ini
        else (variable if variable == WEB_CONCURRENCY else option.environment),
        found=f'"{given.text}"',
        expected=option.converter.expected,
        hint=hint,
    )
