"""The nine steps of ``pastebox explain``, each as lines of text with the origin of every value."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pastebox.cli.mounted import located, source_of, words_of
from pastebox.config.locate import Located, ini_names
from pastebox.config.model import Origin, ServerSpec
from pastebox.config.parser import DEFAULT
from pastebox.config.read import Config, read_leniently, refuse_missing
from pastebox.config.render import redact, secret_values, shown_value
from pastebox.config.sections import APP_PREFIXES, find_section
from pastebox.config.server import server_spec
from pastebox.config.variables import references
from pastebox.errors import ExitCode, PasteboxError
from pastebox.settings import Settings, options, resolve, unknown_names

Lines = Iterator[str]
Step = Callable[[], Lines]


class _NotReachedError(Exception):
    """An earlier step has said what is wrong."""


class Walk:
    """One walk; what a step finds out, the later ones use."""

    def __init__(
        self, namespace: argparse.Namespace, settings: Settings, environ: Mapping[str, str]
    ) -> None:
        self.namespace = namespace
        self.settings = settings
        self.environ = environ
        self.exit_code: int = ExitCode.OK
        self.located: Located | None = None
        self.config: Config | None = None
        self.server: ServerSpec | None = None
        self.secrets: frozenset[str] = frozenset()
        self._reading_error: PasteboxError | None = None

    def steps(self) -> tuple[tuple[str, Step], ...]:
        """Return the titles and the steps, in order."""
        begin = (
            ("entrypoint: what runs", self.entrypoint),
            ("settings: argument, environment, [pastebox], default", self.resolved),
        )
        if self.settings.mode == "daemon" and ini_names(self.settings.instances_dir):
            return *begin, ("instances: each INI of a directory", self.instances)
        is_daemon = self.settings.mode == "daemon"
        return (
            *begin,
            ("locate: which INI", self.locate),
            ("boot: configuration and setup of the first start", self.boot),
            ("load: the application", self.load),
            ("logging", self.logging),
            ("server: what serves", self.serve),
            ("listen: addresses, health, workers", self.listen),
            *[("programs: what the daemon runs", self.programs)] * is_daemon,
            ("stop: what TERM does", self.stop),
        )

    def lines_of(self, step: Step) -> Lines:
        """Yield the lines of a step, redacted; its error is a line, and settles the status."""
        try:
            for line in step():
                yield redact(line, self.secrets)
        except _NotReachedError:
            yield "not reached: there is no INI that can be read"
        except PasteboxError as error:
            self.exit_code = self.exit_code or error.exit_code
            yield from (redact(line, self.secrets) for line in error.render().splitlines())

    def entrypoint(self) -> Lines:
        """Say what the words of this command mean to ``serve``."""
        words = words_of(self.namespace)
        shown = " ".join([*words.names, *(f"{name}=…" for name in words.variables)])
        yield f"pastebox serve {shown}".rstrip()

    def resolved(self) -> Lines:
        """Find and read the INI as well, since its ``[pastebox]`` section has a say."""
        try:
            self._read()
        except PasteboxError as error:  # said in the step that it belongs to
            self._reading_error = error
        if self.config is not None:
            self.settings = resolve(
                self.namespace.arguments, self.environ, self.config.pastebox_section()
            )
        given = [row for row in options() if self.settings.given(row.name)]
        for row in given:
            entry = self.settings.given(row.name)
            if entry is not None:
                text = (
                    f"({len(entry.text.splitlines())} lines)" if row.name == "set" else entry.text
                )
                yield f"{row.name} = {text}  ({entry.origin})"
        yield f"{len(options()) - len(given)} others have their default"
        for name, near in unknown_names(self.environ):
            yield f"warning: {name} is not a setting" + (f", did you mean {near}?" if near else "")

    def instances(self) -> Lines:
        """Say what each instance is, and why a file is none; ``explain`` of its INI says more."""
        from pastebox.cli.walk_programs import told  # noqa: PLC0415  # rare
        from pastebox.daemon.instances import base_of, find, refuse_beside  # noqa: PLC0415  # rare
        from pastebox.daemon.rundir import run_dir  # noqa: PLC0415  # likewise

        if self.located is not None and self.located.looked_at:
            refuse_beside(self.located.spec, self.settings)
        base = base_of(self._request(None), self.settings, run_dir(self.settings, self.environ))
        found = find(base, self.environ)
        for one in found.instances:
            yield f"{one.name}: {one.path} on {', '.join(map(str, one.binds))}, in {one.data_dir}"
            for program in one.programs:
                yield from (f"  {line}" for line in told(program))
        for bad in found.refused:
            self.exit_code = self.exit_code or (bad.code if base.fail == "any" else 0)
            yield f"{bad.name} is refused: {bad.error}"
        if not found.instances:
            self.exit_code = found.refused[0].code

    def locate(self) -> Lines:
        """Say which INI it is, who chose it, and what lies over it."""
        found = self.located
        if found is None:
            self._config()
            return
        if found.spec is None:
            yield f"none; looked at {', '.join(found.looked_at)}"
            return
        yield f"{found.spec.uri}  ({found.spec.origin})"
        config = self._config()
        for origin in sorted({entry for entry in _origins(config) if entry}):
            yield f"laid over it: {origin}"

    def boot(self) -> Lines:
        """Say what the journal leaves to do."""
        from pastebox.boot.facts import gather  # noqa: PLC0415  # one step of nine
        from pastebox.boot.model import plan  # noqa: PLC0415  # likewise
        from pastebox.boot.run import make_start  # noqa: PLC0415  # likewise

        if self.located is None:
            yield "not reached: which INI is not known"
            return
        start = make_start(
            self.located,
            self.settings,
            words_of(self.namespace).variables,
            self.environ,
            lambda *_: None,
            sets=tuple((section, pair) for section, pair in getattr(self.namespace, "sets", ())),
        )
        decided = plan(gather(start).facts, start.policy)
        yield f"setup = {self.settings.setup}  ({self.settings.origin('setup')})"
        yield f"journal {start.paths.journal}"
        if decided.refusal is not None:
            self.exit_code = self.exit_code or decided.refusal.exit_code
            yield f"error: {decided.refusal.sentence}"
            return
        yield f"steps: {', '.join(decided.steps) or 'none'}  ({decided.reason})"

    def load(self) -> Lines:
        """Say which section, what it uses, and where its references come from."""
        config = self._config()
        for reached in config.reached():
            for option in reached.parser.own_options(reached.section):
                for name in references(reached.parser.raw(reached.section, option)):
                    place = reached.parser.error(reached.section, option).place
                    yield f"%({name})s in {place}: {_found(config, name)}"
        refuse_missing(config.missing())
        spec = config.source.spec
        if spec.scheme == "egg":
            yield f"{spec.uri}"
            return
        section = find_section(config.parser, APP_PREFIXES, spec.name)
        yield f"[{section}]"
        yield from self._options(section)

    def logging(self) -> Lines:
        """Say who configures logging."""
        config = self._config()
        origin = self.settings.origin("log_format")
        if self.settings.log_format == "ini" and config.has_loggers:
            yield f"the INI's [loggers]  (log_format = ini, {origin})"
        else:
            kind = "text" if self.settings.log_format == "ini" else self.settings.log_format
            yield f"{kind} from level {self.settings.log_level}  ({origin})"
        yield f"access log {self.settings.access_log}  ({self.settings.origin('access_log')})"

    def serve(self) -> Lines:
        """Say which runner, and with which options."""
        spec = self.server = server_spec(self._config(), self.settings)
        yield f"{spec.runner}  ({spec.use}, {_spelled(spec.origins.get('use'))})"
        for name, value in spec.options.items():
            yield f"{name} = {value}  ({_spelled(spec.origins.get(name))})"
        yield from spec.notes

    def listen(self) -> Lines:
        """Say what is bound."""
        if self.server is None:
            yield "not reached: what serves is not known"
        else:
            from pastebox.runners.options import reach_note  # noqa: PLC0415  # one step of nine
            from pastebox.runners.registry import (  # noqa: PLC0415  # likewise
                load_runner,
                with_environ,
            )

            self.server = with_environ(self.server, self.environ)
            binds = load_runner(self.server).binds(self.server)
            yield from (f"{bind}" for bind in binds)
            note = reach_note(self.server, binds)
            if note:
                yield note
        settings = self.settings
        port = settings.health_port
        yield "health: off" if port is None else f"health: {settings.health_host}:{port}"
        if settings.ready_path is not None:
            yield f"ready when {settings.ready_path} answers"
        yield self._workers()

    def _workers(self) -> str:
        """Return how many workers there will be, and who said so."""
        from pastebox.master.prepare import worker_count  # noqa: PLC0415  # one step of nine
        from pastebox.runners.registry import load_runner  # noqa: PLC0415  # likewise

        if self.server is None:
            return f"workers: {self.settings.workers or 'auto'}"
        option = self.server.options.get("workers")
        info = load_runner(self.server).info
        count, why = worker_count(
            self.settings,
            option,
            is_multiprocess=info.multiprocess,
            per_cpu=info.workers_per_cpu,
        )
        if info.multiprocess and option and not self.settings.given("workers"):
            why = why or "the server's own option"
        return f"workers: {count}  ({why or self.settings.origin('workers')})"

    def programs(self) -> Lines:
        """Say what runs beside the application, and what becomes of each."""
        from pastebox.cli.walk_programs import programs  # noqa: PLC0415  # one mode only

        config = self._config()
        names = words_of(self.namespace).names
        request = self._request(names[0] if names else None)
        yield from programs(config, request, self.settings, self.environ)

    def _request(self, argument: str | None) -> Any:
        from pastebox.master.request import ServeRequest  # noqa: PLC0415  # daemon mode only

        return ServeRequest(
            argument,
            self.namespace.arguments,
            words_of(self.namespace).variables,
            tuple((section, pair) for section, pair in getattr(self.namespace, "sets", ())),
            dict(self.environ),
        )

    def stop(self) -> Lines:
        """Say how long a stop can take."""
        delay, timeout = self.settings.drain_delay, self.settings.drain_timeout
        yield f"goes on accepting for {delay:g} s  ({self.settings.origin('drain_delay')})"
        yield f"then finishes requests for {timeout:g} s  ({self.settings.origin('drain_timeout')})"
        yield f"give it at least {delay + timeout + 5:g} s before KILL"

    def _read(self) -> None:
        self.located = located(self.namespace, self.settings, self.environ)
        if self.located.spec is not None:
            source = source_of(self.namespace, self.located.spec, self.settings, self.environ)
            self.config = read_leniently(source, self.environ)
            self.secrets = secret_values(self.config)

    def _config(self) -> Config:
        if self.config is None:
            error, self._reading_error = self._reading_error, None
            raise error or _NotReachedError
        return self.config

    def _options(self, section: str) -> Lines:
        config = self._config()
        for name in config.parser.own_options(section):
            value = shown_value(config, section, name, self.secrets).replace("\n", " ")
            yield f"{name} = {value}  ({_spelled(config.origin(section, name))})"


def _origins(config: Config) -> Iterator[str]:
    """Yield the overlays and the overrides that had a say."""
    for section in (DEFAULT, *config.sections()):
        for option in config.parser.own_options(section):
            place = config.origin(section, option)
            if place.file != config.parser.filename:
                yield place.file or place.text


def _found(config: Config, name: str) -> str:
    try:
        value = config.parser.variables.lookup(name)
    except PasteboxError as error:
        return str(error)
    where = config.parser.variables.looked_for(name)
    return where if value is not None else f"no value, expected {where}"


def _spelled(origin: Origin | None) -> str:
    if origin is None:
        return "default"
    return f"{origin.file}:{origin.line}" if origin.line else origin.text
