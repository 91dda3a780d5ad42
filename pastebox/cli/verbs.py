"""The argparse tree: every verb, and every setting as a flag of each, from the one table."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence

from pastebox import __version__
from pastebox.cli.main import VERBS
from pastebox.errors import PasteboxError, UsageError
from pastebox.process.report import report
from pastebox.settings import options, resolve

Parsed = tuple[str | None, Mapping[str, str], Mapping[str, str], tuple[tuple[str, str], ...]]

_EPILOG = """\
Settings can be given as a flag (--drain-delay 5s), in the environment (PASTEBOX_DRAIN_DELAY=5s,
or PASTEBOX_DRAIN_DELAY_FILE naming a file), or in the INI's [pastebox] section (drain_delay = 5s).
The first of these that says something wins. name=value words are variables for the INI.
"""


class _Parser(argparse.ArgumentParser):
    """argparse, with our errors."""

    def error(self, message: str) -> None:  # type: ignore[override]  # argparse says NoReturn; it raises
        """Raise instead of printing: one place prints errors.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, hint=f"{self.prog} --help")


def main(argv: Sequence[str]) -> int:
    """Run any verb but ``serve`` and ``health``, which have short ways of their own."""
    try:
        return _run(argv)
    except PasteboxError as error:
        report(error)
        return error.exit_code
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: Sequence[str]) -> int:
    verb = argv[0] if argv and argv[0] in VERBS else None
    if verb is None:
        _front_parser().parse_args(list(argv))
        raise UsageError("no verb is given", hint="pastebox --help")
    module = importlib.import_module(f"pastebox.cli.{verb.replace('-', '_')}")
    namespace = parser_of(verb).parse_intermixed_args(list(argv[1:]))
    namespace.arguments = _arguments(namespace)
    settings = resolve(namespace.arguments, os.environ)
    code: int = module.run(namespace, settings, os.environ, sys.stdin, sys.stdout)
    return code


def _front_parser() -> argparse.ArgumentParser:
    width = max(map(len, VERBS))
    lines = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    parser = _Parser(
        prog="pastebox",
        usage="pastebox VERB [options] [INI] [name=value ...]",
        description="Serve a Python web application from its PasteDeploy INI.",
        epilog=f"verbs:\n{lines}\n\npastebox VERB --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pastebox {__version__}")
    parser.add_argument("verb", choices=list(VERBS), metavar="VERB", help=argparse.SUPPRESS)
    return parser


def parser_of(verb: str) -> argparse.ArgumentParser:
    """Return the parser of a verb, settings included; ``health`` has none, it reads its own."""
    parser = _verb_parser(verb)
    if verb == "serve":
        from pastebox.cli.background import add_arguments  # noqa: PLC0415  # it stands on this

        parser.usage = (
            "pastebox serve [options] [INI[#section]] [start|stop|restart|status] [name=value ...]"
        )
        parser.add_argument(
            "words", nargs="*", metavar="INI, name=value", help="the INI, and variables for it"
        )
        add_arguments(parser)
    else:
        module = importlib.import_module(f"pastebox.cli.{verb.replace('-', '_')}")
        module.add_arguments(parser)
    _add_settings(parser)
    return parser


def _verb_parser(verb: str) -> argparse.ArgumentParser:
    text = VERBS[verb]
    return _Parser(
        prog=f"pastebox {verb}",
        description=text[0].upper() + text[1:] + ".",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Add every row of the settings table as a flag, in its group."""
    groups: dict[str, Callable[..., object]] = {}
    for row in options():
        if row.group not in groups:
            groups[row.group] = parser.add_argument_group(row.group).add_argument
        if row.name == "set":
            groups[row.group](
                "--set",
                dest="sets",
                nargs=2,
                action="append",
                default=[],
                metavar=("SECTION", "KEY=VALUE"),
                help="override one option of the INI; can be repeated",
            )
            continue
        default = f" (default {row.default})" if row.default is not None else ""
        metavar = "{" + ",".join(row.converter.choices) + "}" if row.converter.choices else None
        groups[row.group](
            row.flag,
            dest=f"setting_{row.name}",
            metavar=metavar or row.metavar,
            help=f"{row.text}{default}".replace("%", "%%"),
        )


def _arguments(namespace: argparse.Namespace) -> dict[str, str]:
    given = ((row.name, getattr(namespace, f"setting_{row.name}", None)) for row in options())
    return {name: text for name, text in given if text is not None}


def parse_serve(argv: Sequence[str]) -> Parsed:
    """Read the words of ``pastebox serve`` when there are flags among them.

    Raises:
        UsageError: they cannot be understood.
    """
    return read_serve(serve_namespace(argv))


def serve_namespace(argv: Sequence[str]) -> argparse.Namespace:
    """Read the words and flags of ``pastebox serve``.

    Raises:
        UsageError: they cannot be understood.
    """
    return parser_of("serve").parse_intermixed_args(list(argv))


def read_serve(namespace: argparse.Namespace) -> Parsed:
    """Return what is to be served.

    Raises:
        UsageError: a word is neither an INI nor a variable.
    """
    from pastebox.config.locate import parse_words  # noqa: PLC0415  # serve has it already

    words = list(namespace.words)
    argument = words.pop(0) if words and "=" not in words[0] else None
    sets = tuple((section, pair) for section, pair in namespace.sets)
    return argument, _arguments(namespace), parse_words(words), sets
