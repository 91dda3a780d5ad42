"""A forked child: clean signals, a group of its own, a deadline, and how it ended."""

import contextlib
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

from pastebox.process.deadline import Deadline
from pastebox.process.signals import STOPPING, SignalQueue, exit_code_of

GRACE_S = 5.0
PROGRESS_S = 10.0


class ChildResult(NamedTuple):
    """How a child ended.

    Attributes:
        name: what it was started as.
        code: its exit status; 128 + n when signal n ended it.
        signal: the signal that ended it, or ``None``.
        timed_out: it was ended because the deadline had passed.
        interrupted_by: TERM or INT, when this process was told to stop meanwhile.
    """

    name: str
    code: int
    signal: int | None
    timed_out: bool
    interrupted_by: int | None


def start_child(
    target: Callable[[], int], *, close: Iterable[int] = (), own_group: bool = True
) -> int:
    """Fork a child that runs ``target`` and exits with what it returns; return its pid.

    The child starts with default signal handlers, nothing blocked, and without the descriptors
    in ``close``. What ``target`` raises is printed and ends the child with status 1;
    ``SystemExit`` keeps its own status. No ``atexit`` function of the parent runs in the child.
    """
    _flush()
    # Until the child has its own handlers, a signal must find it deaf: the parent's handlers
    # would run in it, on a copy of the parent's state.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _run_child_side(target, close, own_group=own_group)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if own_group:
        # Both sides do it: whoever comes first, the group exists before it is signalled.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
    return pid


def run_child(
    name: str,
    target: Callable[[], int],
    *,
    deadline: Deadline,
    on_progress: Callable[[], None] | None = None,
) -> ChildResult:
    """Run ``target`` in a child with a process group of its own and wait for its end.

    When the deadline passes, or this process receives TERM or INT, the group gets TERM and,
    after ``GRACE_S`` or at a second signal, KILL. ``on_progress`` is called every
    ``PROGRESS_S``. Must be called in the main thread, which owns the signals.
    """
    with SignalQueue((signal.SIGCHLD, *STOPPING)) as signals:
        pid = start_child(target, close=(signals.fileno(),))
        result = _Watch(name, pid, signals, deadline, on_progress).wait()
        for number in signals.take():
            # It came when the child had ended already; it must not be lost with the queue.
            if number in STOPPING and result.interrupted_by is None:
                result = result._replace(interrupted_by=number)
        return result


class _Watch:
    """The wait for one child: the end, the deadline, or a signal, whichever comes first."""

    def __init__(
        self,
        name: str,
        pid: int,
        signals: SignalQueue,
        deadline: Deadline,
        on_progress: Callable[[], None] | None,
    ) -> None:
        self._name = name
        self._pid = pid
        self._signals = signals
        self._deadline = deadline
        self._on_progress = on_progress
        self._next_progress = self._after(PROGRESS_S)
        self._kill_at: Deadline | None = None
        self._timed_out = False
        self._interrupted_by: int | None = None

    def _after(self, seconds: float) -> Deadline:
        return Deadline.after(seconds, self._deadline.clock)

    def wait(self) -> ChildResult:
        poll = select.poll()
        poll.register(self._signals.fileno(), select.POLLIN)
        while True:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            if ended:
                return self._result(status)
            wake_at = min(self._deadline_at(), self._next_progress.at)
            poll.poll(1 + 1000 * max(0.0, wake_at - self._deadline.clock()))
            for number in self._signals.take():
                if number in STOPPING:
                    self._interrupt(number)
            self._look_at_the_clock()

    def _deadline_at(self) -> float:
        return self._kill_at.at if self._kill_at else self._deadline.at

    def _interrupt(self, number: int) -> None:
        if self._interrupted_by is not None:
            self._signal_group(signal.SIGKILL)
            return
        self._interrupted_by = number
        self._end()

    def _look_at_the_clock(self) -> None:
        if self._next_progress.has_passed:
            self._next_progress = self._after(PROGRESS_S)
            if self._on_progress is not None:
                self._on_progress()
        if self._kill_at is not None:
            if self._kill_at.has_passed:
                self._signal_group(signal.SIGKILL)
                self._kill_at = Deadline.never()
        elif self._deadline.has_passed:
            self._timed_out = True
            self._end()

    def _end(self) -> None:
        self._signal_group(signal.SIGTERM)
        self._kill_at = self._after(GRACE_S)

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, number)

    def _result(self, status: int) -> ChildResult:
        if self._kill_at is not None:
            # What the child itself started may have outlived the TERM.
            self._signal_group(signal.SIGKILL)
        by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        return ChildResult(
            self._name, exit_code_of(status), by_signal, self._timed_out, self._interrupted_by
        )


def _run_child_side(
    target: Callable[[], int], close: Iterable[int], *, own_group: bool
) -> NoReturn:
    code = 1
    try:
        if own_group:
            os.setpgid(0, 0)
        reset_signals()
        for descriptor in close:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        code = target()
    except SystemExit as error:
        code = _code_of(error)
    except BaseException:  # noqa: BLE001  # a process boundary: nothing may run past it
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def reset_signals() -> None:
    """Give this process the default action for every signal that a handler had, and unblock all."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _code_of(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    sys.stderr.write(f"{error.code}\n")
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # A stream may be closed, or be None under pythonw-like hosts.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
