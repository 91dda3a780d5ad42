"""``pastebox serve [INI] [name=value ...]``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from pastebox.errors import PasteboxError
from pastebox.process.report import report
from pastebox.process.signals import SERVING, SignalQueue


def main(argv: Sequence[str]) -> int:
    """Serve; signals are caught from here on, so that none is lost while modules load."""
    with SignalQueue(SERVING) as signals:
        try:
            from pastebox.master.master import Master  # noqa: PLC0415  # after the signals
            from pastebox.master.request import ServeRequest  # noqa: PLC0415  # likewise

            argument, arguments, words, sets = _parse(argv)
            request = ServeRequest(argument, arguments, words, sets, os.environ)
            return Master(request, signals).run()
        except PasteboxError as error:
            report(error)
            return error.exit_code


Parsed = tuple[
    str | None, Mapping[str, str], Mapping[str, str], tuple[tuple[str, str], ...]
]


def _parse(argv: Sequence[str]) -> Parsed:
    """Read the words; argparse is loaded only if there is a flag among them."""
    from pastebox.config.locate import parse_words  # noqa: PLC0415  # after the signals

    if any(word.startswith("-") for word in argv):
        from pastebox.cli.verbs import parse_serve  # noqa: PLC0415  # argparse and all

        return parse_serve(argv)
    argument = None
    rest = list(argv)
    if rest and "=" not in rest[0]:
        argument = rest.pop(0)
    return argument, {}, parse_words(rest), ()
