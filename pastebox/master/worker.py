"""One worker process: the master's handle on it, and what runs on the other side of the fork."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from pastebox.errors import ExitCode, PasteboxError
from pastebox.observe.access import formatter
from pastebox.observe.counters import Counters
from pastebox.observe.logs import configure
from pastebox.process.child import start_child
from pastebox.process.notify import Notifier
from pastebox.process.report import report
from pastebox.runners.context import DRAIN, LAME, WorkerContext

from pastebox.master.prepare import Prepared

log = logging.getLogger("pastebox.worker")


class Worker:
    """The master's handle: pid, slot in the counters, and the way to give it orders."""

    def __init__(self, pid: int, slot: int, orders: socket.socket, *, gives_signals: bool) -> None:
        self.pid = pid
        self.slot = slot
        self.orders = orders
        self.gives_signals = gives_signals
        self.is_ready = False
        self.started = time.monotonic()

    def order_lame(self) -> None:
        """Have it close each connection after the answer."""
        self._order(LAME)

    def order_drain(self, seconds: float) -> None:
        """Have it stop accepting and end within ``seconds``."""
        self._order(DRAIN + b" %.3f\n" % seconds)

    def _order(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone: the wait status will say so
            self.orders.send(line)

    def signal(self, number: int) -> None:
        """Send it a signal; it may be gone already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


def start_worker(
    prepared: Prepared,
    sockets: Sequence[socket.socket],
    *,
    slot: int,
    counters: Counters,
    notify_address: str,
    generation: int,
    in_child: Callable[[], None],
) -> Worker:
    """Fork a worker that serves ``sockets``; ``in_child`` gives up what is the master's alone."""
    ours, theirs = socket.socketpair()

    def target() -> int:
        in_child()
        ours.close()
        context = WorkerContext(
            notify=Notifier(notify_address),
            orders=theirs,
            counters=counters.slot(slot),
            access=formatter(prepared.settings.access_log),
            drain_timeout_s=prepared.settings.drain_timeout,
            generation=generation,
            workers=prepared.settings.workers,
        )
        os.environ["NOTIFY_SOCKET"] = notify_address
        return _serve(prepared, sockets, context, slot)

    pid = start_child(target, own_group=False)
    theirs.close()
    ours.setblocking(False)
    return Worker(pid, slot, ours, gives_signals=prepared.runner.info.owns_signals)


def _serve(
    prepared: Prepared, sockets: Sequence[socket.socket], context: WorkerContext, slot: int
) -> int:
    """Run in the child: log as the INI says, take a CPU, load, serve."""
    try:
        if prepared.settings.cpu_affinity == "auto":
            _take_cpu(slot)
        if prepared.config.has_loggers and prepared.settings.log_format == "ini":
            configure(
                "ini", prepared.settings.log_level, loggers=prepared.config.logging_parser()
            )
        assert prepared.spec is not None  # noqa: S101  # a worker starts after preparation
        return prepared.runner.serve(prepared.source, prepared.spec, sockets, context)
    except PasteboxError as error:
        report(error)
        return error.exit_code
    except SystemExit:
        raise
    except Exception:  # a process boundary
        log.exception("defect in the worker")
        return ExitCode.FAILURE
    finally:
        atexit._run_exitfuncs()  # noqa: SLF001  # as multiprocessing does: the fork ends in os._exit
        sys.stdout.flush()
        sys.stderr.flush()


def _take_cpu(slot: int) -> None:
    """Keep this process on one CPU of those it may use, chosen by its slot."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[slot % len(allowed)]})


def close_all(things: Iterable[socket.socket]) -> None:
    """Close sockets that the child must not hold: their other ends wait for the last close."""
    for thing in things:
        thing.close()
