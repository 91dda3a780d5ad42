"""``pastebox check [INI]``: say what is wrong with an INI, without serving it."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

from pastebox.cli.mounted import Mounted, add_words, open_mounted
from pastebox.config.check import Finding, lint, logging_faults, server_fault
from pastebox.config.read import refuse_missing
from pastebox.config.render import redact
from pastebox.config.server import server_spec
from pastebox.config.source import load_app
from pastebox.daemon.programs import WEB, Program
from pastebox.daemon.sections import read_programs
from pastebox.errors import AppError, ExitCode, PasteboxError
from pastebox.process.report import report
from pastebox.runners.options import reach_note
from pastebox.runners.registry import known_runners, load_runner, with_environ
from pastebox.settings import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the verb."""
    add_words(parser)
    parser.add_argument(
        "--no-app", action="store_true", help="do not import and create the application"
    )


def run(
    namespace: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    stdin: TextIO,  # noqa: ARG001  # every verb has the same signature
    stdout: TextIO,
) -> int:
    """Print a line for each finding, then ``ok`` or how many there are."""
    mounted = open_mounted(namespace, settings, environ)
    findings = [*lint(mounted.config, environ), *_reach(mounted, environ)]
    errors = list(_errors(mounted, environ, with_app=not namespace.no_app))
    text = io.StringIO()
    text.writelines(f"{finding}\n" for finding in findings)
    for error in errors:
        report(error, text)
    stdout.write(redact(text.getvalue(), mounted.config.secrets()))
    warnings = sum(finding.level == "warning" for finding in findings)
    counts = [_count(len(errors), "error"), _count(warnings, "warning")]
    stdout.write((", ".join(text for text in counts if text) or "ok") + "\n")
    return errors[0].exit_code if errors else ExitCode.OK


def _errors(
    mounted: Mounted, environ: Mapping[str, str], *, with_app: bool
) -> Iterator[PasteboxError]:
    """Yield what would stop ``serve``; each part is looked at, whatever the others lack."""
    config = mounted.config
    yield from _raised(lambda: refuse_missing(config.missing()))
    missing_was_said = bool(config.missing())
    yield from logging_faults(config)

    def server() -> None:
        spec = server_spec(config, mounted.settings)
        fault = server_fault(spec, known_runners())
        if fault is not None:
            raise fault
        if spec.runner in known_runners():
            spec = with_environ(spec, environ)
            load_runner(spec).binds(spec)  # its extra is there, its options are known

    if not missing_was_said:
        yield from _raised(server)
        yield from _raised(lambda: _refuse_programs(mounted, environ))
        if with_app:
            yield from _raised(lambda: _load(mounted, environ))


def _refuse_programs(mounted: Mounted, environ: Mapping[str, str]) -> None:
    read_programs(mounted.config, Program(WEB, ("pastebox",)), environ)


def _reach(mounted: Mounted, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a default of the server that makes a container unreachable; errors come elsewhere."""
    with contextlib.suppress(PasteboxError):
        spec = with_environ(server_spec(mounted.config, mounted.settings), environ)
        note = reach_note(spec, load_runner(spec).binds(spec))
        if note:
            yield Finding("warning", f"{spec.file} [{spec.section}]", note)


def _load(mounted: Mounted, environ: Mapping[str, str]) -> None:
    try:
        load_app(mounted.config.source, environ)
    except PasteboxError:
        raise
    except (Exception, SystemExit) as error:  # the application's own code ran
        raise AppError("the application failed to load") from error


def _raised(look: Callable[[], None]) -> Iterator[PasteboxError]:
    try:
        look()
    except PasteboxError as error:
        yield error


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}" if number else ""
