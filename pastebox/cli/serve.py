"""``pastebox serve [INI] [name=value ...]``."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pastebox.errors import PasteboxError
from pastebox.master.worker import start_worker
from pastebox.process.signals import SERVING, SignalQueue

if TYPE_CHECKING:
    from pastebox.master.prepare import Prepared


Parsed = tuple[str | None, Mapping[str, str], Mapping[str, str], tuple[tuple[str, str], ...]]

_BACKGROUND = ("--daemon", "--pid-file", "--log-file", "--user", "--group")
_WORDS = frozenset({"start", "stop", "restart", "status"})


def main(argv: Sequence[str]) -> int:
    """Serve, or do what is asked of a service in the background."""
    if not _WORDS.isdisjoint(argv) or any(word.startswith(_BACKGROUND) for word in argv):
        from pastebox.cli import background  # noqa: PLC0415  # argparse and all

        return background.main(
            argv, lambda parsed: _serve(lambda: parsed, [*filter(None, parsed[:1])])
        )
    return _serve(lambda: _parse(argv), argv)


def _serve(parse: Callable[[], Parsed], argv: Sequence[str]) -> int:
    """Serve; signals are caught from here on, so that none is lost while modules load.

    The first worker is forked before anything is read: it imports PasteDeploy and the server on
    one CPU while the master finds, reads and checks the configuration on another.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a TextIOWrapper
    gc.disable()  # nothing becomes garbage while modules load
    with SignalQueue(SERVING) as signals:
        try:
            if {"-h", "--help"}.intersection(argv):
                parse()
            early = start_worker(signals.forget)
            try:
                from pastebox.master.head_start import head_start  # noqa: PLC0415  # after the fork
                from pastebox.master.request import ServeRequest  # noqa: PLC0415  # likewise

                request = ServeRequest(*parse(), environ=os.environ)
                start = head_start(request)
            except BaseException:
                early.dismiss()
                raise
            if start.settings.mode == "daemon":
                early.dismiss()
                from pastebox.daemon.start import run  # noqa: PLC0415  # this mode only

                return run(request, start, signals)
            if start.settings.mode == "sleep":
                from pastebox.cli import verbs  # noqa: PLC0415  # argparse and all

                verbs.main(["explain", *argv])
            if start.prepared is not None and start.prepared.runner.info.name == "cgi":
                early.dismiss()
                return _answer_once(start.prepared)
            from pastebox.master.master import Master  # noqa: PLC0415  # likewise

            gc.freeze()  # nothing that was imported is garbage
            gc.enable()
            return Master(request, signals, start, early).run()
        except PasteboxError as error:
            from pastebox.observe.logs import tell  # noqa: PLC0415  # errors only

            tell(error, os.environ.get("PASTEBOX_LOG_FORMAT", ""))
            return error.exit_code


def _answer_once(prepared: Prepared) -> int:
    """Answer the request that this process was started for; there is nothing to be master of."""
    from pastebox.observe.logs import configure  # noqa: PLC0415  # CGI only
    from pastebox.runners.cgi import answer  # noqa: PLC0415  # likewise

    configure(prepared.settings.log_format, "warning")
    return answer(prepared.source, prepared.spec, os.environ)


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
