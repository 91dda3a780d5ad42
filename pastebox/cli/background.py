"""``pastebox serve`` in the background: ``--daemon``, and ``start|stop|restart|status``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pastebox import __version__
from pastebox.cli.verbs import Parsed, read_serve, serve_namespace
from pastebox.errors import CannotCreateError, ExitCode, PasteboxError, UsageError
from pastebox.process import detach, detach_user, output
from pastebox.process.deadline import Deadline
from pastebox.process.detached import Service
from pastebox.process.pidfile import (
    Found,
    PidFile,
    inspect,
    name_of,
    remove_stale,
    started_at,
)
from pastebox.process.report import report

if TYPE_CHECKING:
    from pastebox.master.prepare import Prepared
    from pastebox.settings import Settings

PID_FILE, LOG_FILE = "pastebox.pid", "pastebox.log"
WORDS = ("start", "stop", "restart", "status")

Serve = Callable[[Parsed], int]

_NOT_COMPARED = frozenset({"--daemon", "start", "restart"})
_COMPARED = ("PASTEBOX_", "PASTE__", "WEB_CONCURRENCY")


class Wish(NamedTuple):
    """What is asked for.

    Attributes:
        word: one of ``WORDS``; empty for the foreground.
        pid_file: where the number of the master is; empty for nowhere.
        log_file: where the output goes; empty for where it would go anyway.
        parsed: what is to be served.
        argv: how that was said.
    """

    word: str
    pid_file: str
    log_file: str
    parsed: Parsed
    argv: Sequence[str]


def main(argv: Sequence[str], serve: Serve) -> int:
    """Do what the words say; return the exit status."""
    try:
        namespace = serve_namespace(argv)
        word = take_word(namespace.words) or ("start" if namespace.daemon else "")
        who = detach_user.identity(namespace.user, namespace.group)
        if who is not None:
            detach_user.become(who, os.environ)
        wish = Wish(
            word=word,
            pid_file=os.path.abspath(namespace.pid_file or PID_FILE)
            if namespace.pid_file or word
            else "",
            log_file=os.path.abspath(namespace.log_file or LOG_FILE)
            if namespace.log_file or word
            else "",
            parsed=read_serve(namespace),
            argv=argv,
        )
        return _DEEDS[word](wish, serve)
    except PasteboxError as error:
        report(error)
        return error.exit_code


def take_word(words: list[str]) -> str:
    """Take one of ``WORDS`` out of the others: it stands after the INI, or alone."""
    for place, word in enumerate(words[:2]):
        if word in WORDS and not (place == 0 and os.path.exists(word)):
            return words.pop(place)
    return ""


def _look_ahead(parsed: Parsed) -> Prepared | PasteboxError | None:
    """Read the configuration as the service will, ``None`` where first boot has to make it."""
    from pastebox.master.prepare import find, prepare  # noqa: PLC0415  # not for every word
    from pastebox.master.request import ServeRequest  # noqa: PLC0415  # likewise

    request = ServeRequest(*parsed, environ=dict(os.environ))
    try:
        located, settings = find(request)
        return prepare(request, located.spec, settings) if located.spec else None
    except PasteboxError as error:  # the service will tell it; hooks may mend it before
        return error


def _mark(argv: Sequence[str], ahead: Prepared | PasteboxError | None) -> int:
    """Return a number for all that HUP does not change: command, settings, program."""
    import zlib  # noqa: PLC0415  # only here

    from pastebox.master.reload import FIXED  # noqa: PLC0415  # not for every word

    settings = getattr(ahead, "settings", None)
    facts = (
        [word for word in argv if word not in _NOT_COMPARED],
        os.getcwd(),
        sorted(pair for pair in os.environ.items() if pair[0].startswith(_COMPARED)),
        (sys.executable, sys.version, __version__),
        settings and [getattr(settings, name) for name in FIXED],
    )
    return 1 + zlib.crc32(repr(facts).encode("utf-8", "surrogateescape")) // 2


def _foreground(wish: Wish, serve: Serve) -> int:
    """Serve here, with a PID file, a log file or another user."""
    if wish.log_file:
        output.redirect(wish.log_file)
    return _serve(wish, serve, 0)


def _serve(wish: Wish, serve: Serve, mark: int) -> int:
    if not wish.pid_file:
        return serve(wish.parsed)
    try:
        held = PidFile(wish.pid_file, mark)
    except PasteboxError as error:
        report(error)
        return error.exit_code
    if held.left_by:
        sys.stderr.write(f"{held.path}: was left by process {held.left_by}, which is gone\n")
    try:
        return serve(wish.parsed)
    finally:
        held.release()


def _start(wish: Wish, serve: Serve) -> int:
    found = inspect(wish.pid_file)
    if found.state == "running":
        raise CannotCreateError(
            f"is held by process {found.pid}, which serves already",
            file=wish.pid_file,
            hint="say restart or stop, or name another with --pid-file",
        )
    if os.environ.get("NOTIFY_SOCKET"):
        sys.stderr.write("under systemd with Type=notify the service stays in the foreground\n")
    ahead = _look_ahead(wish.parsed)
    if _settings(wish.parsed, ahead).mode == "daemon":
        raise UsageError(
            "PASTEBOX_MODE=daemon supervises programs in the foreground, for a container",
            hint="leave the mode out to serve in the background",
        )
    tail = output.Tail(wish.log_file)
    told = detach.receiver(wish.pid_file)
    mark = _mark(wish.argv, ahead)
    code = detach.detach(lambda: _serve(wish, serve, mark), told, wish.log_file, tail.show)
    pid = inspect(wish.pid_file).pid
    if code == ExitCode.OK and pid:
        sys.stdout.write(f"serving in the background pid={pid} log={wish.log_file}\n")
    elif code != ExitCode.OK:
        where = "" if tail.can_be_read else f", and {wish.log_file} has its reason"
        sys.stderr.write(f"not serving: ended with status {code}{where}\n")
    return code


def _stop(wish: Wish, _serve: Serve) -> int:
    found = inspect(wish.pid_file)
    if found.state != "running":
        _say(wish, found)
        if found.state == "stale":
            remove_stale(wish.pid_file)
        return ExitCode.FAILURE
    grace = _grace(wish.parsed)
    with _service(wish, found) as service:
        code = ExitCode.OK
        service.signal(signal.SIGTERM)
        if not service.wait(Deadline.after(grace)):
            sys.stderr.write(f"process {service.pid} goes on after {grace:g} s: telling it again\n")
            code = ExitCode.DRAIN_TIMEOUT
            service.signal(signal.SIGTERM)
            if not service.wait(Deadline.after(_LAST_S)):
                raise PasteboxError(
                    f"process {service.pid} does not end", hint=f"kill -KILL {service.pid}"
                )
        sys.stdout.write(f"stopped pid={service.pid}\n")
        return code


_LAST_S = 10.0
"""After the second TERM a master kills its workers in two seconds."""


def _restart(wish: Wish, serve: Serve) -> int:
    found = inspect(wish.pid_file)
    if found.state != "running":
        return _start(wish, serve)
    ahead = _look_ahead(wish.parsed)
    code: int | None = ExitCode.TEMPORARY
    if found.mark == _mark(wish.argv, ahead):
        code = _reload(wish, found)
    elif isinstance(ahead, PasteboxError):
        raise ahead  # and what runs goes on
    if code == ExitCode.TEMPORARY:
        sys.stderr.write("takes another process: stopping this one, then starting\n")
        _stop(wish, serve)
    return _start(wish, serve) if code in (None, ExitCode.TEMPORARY) else code


def _reload(wish: Wish, found: Found) -> int | None:
    """Have a new generation take over on the same sockets.

    Return its status: 75 where that takes another process, ``None`` when the service has ended.
    """
    tail = output.Tail(wish.log_file)
    told = detach.receiver(wish.pid_file)
    try:
        with _service(wish, found) as service:
            code = service.reload(told, tail.show)
    finally:
        told.close()
    if code == ExitCode.OK:
        sys.stdout.write(f"serving anew in the background pid={found.pid} log={wish.log_file}\n")
    elif code not in (None, ExitCode.TEMPORARY):
        sys.stderr.write(f"process {found.pid} goes on with what it has: status {code}\n")
    return code


def _service(wish: Wish, found: Found) -> Service:
    if not found.pid:
        raise PasteboxError(
            "is held by a process that cannot be seen from here, as in a container",
            file=wish.pid_file,
        )
    return Service(wish.pid_file, found.pid)


def _status(wish: Wish, _serve: Serve) -> int:
    found = inspect(wish.pid_file)
    _say(wish, found)
    return ExitCode.OK if found.state == "running" else ExitCode.FAILURE


def _say(wish: Wish, found: Found) -> None:
    """Tell what the PID file says."""
    path = wish.pid_file
    if found.state == "running":
        began = started_at(found.pid) if found.pid else None
        since = time.strftime(" since=%Y-%m-%dT%H:%M:%S%z", time.localtime(began)) if began else ""
        sys.stdout.write(f"running pid={found.pid or 'unknown'}{since}\n")
        return
    texts = {
        "none": f"there is no PID file {path}",
        "stale": f"{path} is stale: process {found.pid or 'nobody'} is gone",
        "foreign": f"{path} names process {found.pid} ({name_of(found.pid)}), which is no pastebox",
        "garbage": f"{path} is no PID file",
    }
    sys.stdout.write(f"not running: {texts[found.state]}\n")


def _grace(parsed: Parsed) -> float:
    """Return how long a stop may take: what the configuration says now, and 5 s for the rest."""
    settings = _settings(parsed, _look_ahead(parsed))
    return settings.drain_delay + settings.drain_timeout + 5


def _settings(parsed: Parsed, ahead: Prepared | PasteboxError | None) -> Settings:
    """Return the settings, as far as they go without the INI where that cannot be read.

    Raises:
        PasteboxError: one that was given here has a bad value.
    """
    from pastebox.settings import resolve  # noqa: PLC0415  # not for every word

    known: Settings | None = getattr(ahead, "settings", None)
    return known or resolve(parsed[1], os.environ)


_DEEDS: dict[str, Callable[[Wish, Serve], int]] = {
    "": _foreground,
    "start": _start,
    "stop": _stop,
    "restart": _restart,
    "status": _status,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the background, which are no settings: they are about this host."""
    parser.add_argument(
        "--daemon",
        action="store_true",
        help="serve in the background; the word start does the same",
    )
    parser.add_argument(
        "--pid-file",
        metavar="FILE",
        help=f"where the number of the process is kept; {PID_FILE} in the background",
    )
    parser.add_argument(
        "--log-file",
        metavar="FILE",
        help=f"where the output goes; {LOG_FILE} in the background",
    )
    parser.add_argument(
        "--user", metavar="NAME", help="user to become, by name or number; for root"
    )
    parser.add_argument("--group", metavar="NAME", help="its group, instead of the user's own")
