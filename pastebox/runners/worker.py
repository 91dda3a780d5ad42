"""The worker's side of the fork: import ahead, wait for the job, serve, leave."""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING

from pastebox.errors import ExitCode, PasteboxError

if TYPE_CHECKING:
    from pastebox.runners.job import Job

AHEAD = ("pastebox.config.loader", "pastebox.runners.waitress", "pastebox.runners.waitress_loop")
"""What nearly every job needs; another runner costs these few milliseconds for nothing."""


def run_worker(
    orders: socket.socket, ahead: Callable[[Callable[[], bool]], None] | None = None
) -> int:
    """Run in the forked child until the job is done; return the exit status.

    ``ahead`` imports more than the usual, until its argument says that the job is there.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # its default is death; logging comes later
    try:
        for name in AHEAD:
            with contextlib.suppress(ImportError):  # the job will say what is missing
                import_module(name)
        if ahead is not None:
            ahead(lambda: _is_readable(orders))
        return _work(orders)
    except PasteboxError as error:
        from pastebox.observe.logs import tell  # noqa: PLC0415  # errors only

        tell(error)
        return error.exit_code
    except SystemExit:
        raise
    except Exception:  # a process boundary
        logging.getLogger("pastebox.worker").exception("defect in the worker")
        return ExitCode.FAILURE
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001  # as multiprocessing does: a fork ends in os._exit
        sys.stdout.flush()
        sys.stderr.flush()


def _is_readable(orders: socket.socket) -> bool:
    poll = select.poll()
    poll.register(orders, select.POLLIN)
    return bool(poll.poll(0))


def _work(orders: socket.socket) -> int:
    from pastebox.observe.access import formatter  # noqa: PLC0415  # while the master reads the INI
    from pastebox.observe.counters import Counters  # noqa: PLC0415  # likewise
    from pastebox.process.notify import Notifier  # noqa: PLC0415  # likewise
    from pastebox.runners.context import WorkerContext  # noqa: PLC0415  # likewise
    from pastebox.runners.job import receive_job  # noqa: PLC0415  # likewise
    from pastebox.runners.loading import LIVERELOAD, SESSIONS  # noqa: PLC0415  # likewise

    received = receive_job(orders)
    if received is None:
        return ExitCode.OK
    job, counters, sockets = received
    os.environ.clear()
    os.environ.update(job.environ)
    for name in (SESSIONS, LIVERELOAD):
        if name in os.environ:
            os.environ[name] = f"{job.generation} {os.environ[name]}"
    if job.cpu is not None:
        take_cpu(job.cpu)
    _set_up_logging(job)
    notify = Notifier(job.notify_address)
    context = WorkerContext(
        notify=notify,
        orders=orders,
        counters=Counters.opened(counters).slot(
            job.slot, job.request_limit, lambda: notify.send(X_PASTEBOX_SPENT=1)
        ),
        access=formatter(job.access_log),
        drain_timeout_s=job.drain_timeout_s,
        generation=job.generation,
        workers=job.workers,
        stuck_after_s=job.stuck_after_s,
    )
    module, _, attribute = job.runner.partition(":")
    runner = getattr(import_module(module), attribute)()
    gc.freeze()  # nothing that was imported is garbage
    gc.enable()
    signal.signal(signal.SIGTERM, _leave)  # until the runner, which loads first, has its own
    code: int = runner.serve(job.source, job.spec, sockets, context)
    return code


def _leave(number: int, _frame: FrameType | None) -> None:
    """End while loading, so that what the application has begun is cleaned up."""
    raise SystemExit(128 + number)


def _set_up_logging(job: Job) -> None:
    """Log as the INI says where it has ``[loggers]``, else as the settings say; reopen at USR1."""
    from pastebox.observe.logs import configure, reopen  # noqa: PLC0415  # while the master works

    configure(job.log_format, job.log_level)
    if job.log_format == "ini" and job.has_loggers:
        from pastebox.config.read import read  # noqa: PLC0415  # only where it has [loggers]

        parser = read(job.source, os.environ).parser
        configure("ini", job.log_level, loggers=parser, variables=job.source.variables)
    signal.signal(signal.SIGUSR1, lambda *_: reopen())


def take_cpu(number: int) -> None:
    """Keep this process on one CPU of those it may use, counted around from the first."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[number % len(allowed)]})
