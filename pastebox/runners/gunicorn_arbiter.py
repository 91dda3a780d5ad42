"""gunicorn's arbiter inside a worker of ours: it forks, watches and replaces gunicorn's workers.

What the master orders comes over the orders socket; what gunicorn's workers say over a pipe. Both
are waited for in the arbiter's own wait for signals, so that it needs no thread, which a process
that forks should not have.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from pastebox.config.model import WSGIApp
from pastebox.errors import ExitCode, PasteboxError
from pastebox.observe.counters import Counters
from pastebox.observe.logs import reopen, tell
from pastebox.process.signals import (
    describe_status,
    ended_children,
    exit_code_of,
    leave_to_parent,
)
from pastebox.runners.context import WorkerContext
from pastebox.runners.gunicorn_guided import DRAIN_SIGNAL, Guided, Orders
from pastebox.runners.gunicorn_worker import slots_of
from pastebox.runners.orders import DRAIN, HOLD, LAME, RESUME

_TICK_S = 0.25
_HEARTBEAT_S = 5.0
_STOP_TICK_S = 0.05
_DEAF_S = 0.5
"""A worker class that never says that it has stopped to accept has done so by then."""
_LATE_S = 0.3
"""How long after the deadline a worker may take to end by itself."""


class Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """What gunicorn serves: settings that are checked already, an application loaded on demand."""

    def __init__(self, config: Any, load: Callable[[], WSGIApp]) -> None:
        self._config = config
        self._load = load
        super().__init__(prog="gunicorn")

    def do_load_config(self) -> None:
        """Take the settings; an error in them is the master's to tell."""
        self.cfg = self._config

    def load(self) -> WSGIApp:
        """Load the application in a worker of gunicorn's; its failure is told there.

        The exit status says to the arbiter, and by it to the master, what has happened.
        """
        try:
            return self._load()
        except PasteboxError as error:
            if self.cfg.preload_app:
                raise
            tell(error)
            raise SystemExit(int(error.exit_code)) from error


class GuidedArbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's arbiter under the master's orders."""

    LISTENERS: list[Any]
    _orders_ended = False

    def __init__(self, app: Application, context: WorkerContext) -> None:
        self.context = context
        self.orders = Orders()
        self.counters = Counters(4 * app.cfg.workers + 64)
        context.counters.show_threads(app.cfg.workers * slots_of(app.cfg))
        self.exit_code = 0
        self._is_ready = False
        self._booted: set[int] = set()
        self._deaf: set[int] = set()
        self._stop_after: float | None = None
        self._next_heartbeat = 0.0
        self._words = self._lines = b""
        self._hear, self._voice = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        super().__init__(app)

    # -- gunicorn's own hooks --------------------------------------------------------------

    def init_signals(self) -> None:
        """Catch gunicorn's signals, but leave to the master what it acts on."""
        super().init_signals()
        leave_to_parent((signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2))
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def handle_usr1(self) -> None:
        """Open log files again, here and in the workers."""
        reopen()
        self.kill_workers(signal.SIGUSR1)

    def spawn_workers(self) -> None:
        """Fork what is missing, without a pause between them."""
        for _ in range(self.num_workers - len(self.WORKERS)):
            self.spawn_worker()

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a worker a signal, the arbiter's own one for a graceful end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, DRAIN_SIGNAL if sig == signal.SIGTERM else sig)

    def pre_fork(self, worker: Guided) -> None:
        """Give a worker what it needs of ours."""
        worker.orders = self.orders
        worker.voice = self._voice
        worker.slot_number = self.counters.take()
        worker.slot = self.counters.slot(worker.slot_number)
        worker.stuck_after_s = self.context.stuck_after_s

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Wait for signals, orders and words, and do what has its time.

        Raises:
            StopIteration: the master wants it to end.
        """
        self._look(min(timeout, _TICK_S))
        if self._stop_after is not None:
            raise StopIteration
        signals: list[int] = []
        while not self.SIG_QUEUE.empty():
            signals.append(self.SIG_QUEUE.get_nowait())
        return [number for number in signals if number in self.SIG_NAMES]

    def reap_workers(self) -> None:
        """Collect workers that have ended; one that never loaded the application ends it all.

        Raises:
            HaltServer: it did not load; the status is the worker's own.
        """
        self._listen()
        for pid, status in ended_children():
            worker = self.WORKERS.pop(pid, None)
            if worker is None:
                continue
            worker.tmp.close()
            self.counters.retire(worker.slot_number)
            self.cfg.child_exit(self, worker)
            if status and self._stop_after is None:
                self.log.error("worker ended pid=%d %s", pid, describe_status(status))
            if pid not in self._booted and self._stop_after is None:
                raise HaltServer("a worker did not load the application", exit_code_of(status))
            self._booted.discard(pid)

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        """Drain, and leave with the status that tells how it went."""
        del reason  # it has been logged where it was found
        if exit_status:
            self.kill_workers(signal.SIGKILL)
        self.stop()
        self.cfg.on_exit(self)
        raise SystemExit(exit_status or self.exit_code)

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002  # gunicorn's signature
        """Have every worker end by the deadline; kill and count what does not."""
        seconds = self.context.drain_timeout_s if self._stop_after is None else self._stop_after
        began = time.monotonic()
        self._stop_after = seconds if graceful else 0.0
        self.orders.tell(lame=True, deadline=began + self._stop_after)
        is_told = False
        while self.WORKERS and time.monotonic() < self.orders.deadline:
            self.kill_workers(signal.SIGTERM)
            self._look_at_end()
            self.reap_workers()
            is_deaf = self._deaf.issuperset(self.WORKERS) or time.monotonic() - began > _DEAF_S
            if is_deaf and not is_told:
                is_told = True
                self._stop_accepting()
        if not is_told:
            self._stop_accepting()
        self._count_losses()
        while self.WORKERS and time.monotonic() < self.orders.deadline + _LATE_S:
            self._look_at_end()
            self.reap_workers()
        self.kill_workers(signal.SIGKILL)
        while self.WORKERS:
            self._look_at_end()
            self.reap_workers()
        self._show_counters()

    # -- ours ------------------------------------------------------------------------------

    def _stop_accepting(self) -> None:
        for listener in self.LISTENERS:  # its path, if it has one, is the master's to remove
            listener.close()
        self.LISTENERS = []
        self.context.notify.send(STOPPING=1)

    def _count_losses(self) -> None:
        if self.WORKERS and self.counters.total().in_flight:
            time.sleep(_STOP_TICK_S)  # an answer is with the client before it is in the counters
        cut = self.counters.total().in_flight if self.WORKERS else 0
        if cut:
            self.kill_workers(signal.SIGTERM)  # they look at the clock, and tell which
            self.log.warning("requests cut off by the drain deadline count=%d", cut)
            self.context.notify.send(X_PASTEBOX_CUT=cut)
            self.exit_code = ExitCode.DRAIN_TIMEOUT

    def _look(self, timeout: float) -> None:
        """Wait for whatever comes, take it, and say that we live."""
        poll = select.poll()
        for descriptor in (self._hear, self._wake_read, self.context.orders.fileno()):
            poll.register(descriptor, select.POLLIN)
        if not self.SIG_QUEUE.empty():
            timeout = 0.0
        if self._orders_ended:
            poll.unregister(self.context.orders.fileno())
        poll.poll(1000 * timeout)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 512)
        self._listen()
        self._take_orders()
        now = time.monotonic()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + _HEARTBEAT_S
            self.context.notify.send(WATCHDOG=1)
        self._show_counters()

    def _look_at_end(self) -> None:
        """Look around while it stops; nobody takes signals any more, which would end each wait."""
        while not self.SIG_QUEUE.empty():
            self.SIG_QUEUE.get_nowait()
        self._look(_STOP_TICK_S)

    def _show_counters(self) -> None:
        self.context.counters.show(self.counters.sums())

    def _listen(self) -> None:
        """Take what the workers say: ``ready PID``, ``deaf PID``."""
        with contextlib.suppress(BlockingIOError):
            self._words += os.read(self._hear, 4096)
        *lines, self._words = self._words.split(b"\n")
        for line in lines:
            word, _, pid = line.partition(b" ")
            (self._booted if word == b"ready" else self._deaf).add(int(pid))
        if self._booted and not self._is_ready:
            self._is_ready = True
            self.context.notify.send(READY=1)

    def _take_orders(self) -> None:
        if self._orders_ended:
            return
        try:
            data = self.context.orders.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # the master is gone
            self._orders_ended = True
            self._drain_within(self.context.drain_timeout_s)
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            if line + b"\n" == LAME:
                self.orders.tell(lame=True, deadline=self.orders.deadline)
            elif line + b"\n" in (HOLD, RESUME):
                self.orders.hold(is_held=line + b"\n" == HOLD)
            elif line.startswith(DRAIN):
                self._drain_within(float(line.removeprefix(DRAIN)))

    def _drain_within(self, seconds: float) -> None:
        """Begin to drain, or bring the end of a drain nearer."""
        deadline = time.monotonic() + seconds
        if self._stop_after is None or not self.orders.deadline:
            self._stop_after = seconds
        elif deadline < self.orders.deadline:
            self.orders.tell(lame=True, deadline=deadline)
