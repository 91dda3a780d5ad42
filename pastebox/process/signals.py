"""Signals as a queue: handlers only enqueue, the loop acts."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = (signal.SIGTERM, signal.SIGINT)
SERVING = (*STOPPING, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)
"""What the master listens to."""


def pipe() -> tuple[int, int]:
    """Make a pipe that never blocks and that no other program inherits."""
    read_end, write_end = os.pipe()  # not pipe2, which macOS lacks
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    return read_end, write_end


class SignalQueue:
    """Catch signals into a queue with a descriptor that becomes readable.

    A context manager: leaving it restores every handler and the wake-up descriptor.
    """

    def __init__(self, signals: Iterable[int]) -> None:
        self._signals = tuple(signals)
        self._queue: deque[int] = deque()
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1
        self._read_end, self._write_end = pipe()

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in self._signals:
            self._before[number] = signal.signal(number, self._enqueue)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
        signal.set_wakeup_fd(self._wakeup_before, warn_on_full_buffer=False)
        os.close(self._read_end)
        os.close(self._write_end)

    def _enqueue(self, number: int, _frame: FrameType | None) -> None:
        self._queue.append(number)

    def fileno(self) -> int:
        """Return the descriptor that is readable after a signal."""
        return self._read_end

    def take(self) -> list[int]:
        """Return the signals that came since the last call, in order."""
        try:
            while os.read(self._read_end, 512):
                pass
        except BlockingIOError:
            pass
        taken = []
        while self._queue:
            taken.append(self._queue.popleft())
        return taken

    def forget(self) -> None:
        """Close the descriptors in a forked child, whose handlers are its own again."""
        os.close(self._read_end)
        os.close(self._write_end)


def leave_to_parent(signals: Iterable[int]) -> None:
    """Let these signals pass by this process: its parent gets them as well, and acts on them.

    Not by ``SIG_IGN``, which a program that is started from here would inherit, deaf to its own
    ``terminate()``. A child forked from here has the default action back.
    """
    ours = os.getpid()

    def pass_by(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != ours:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in signals:
        signal.signal(number, pass_by)


def describe_status(status: int) -> str:
    """Say how a process ended, from its wait status: ``exit status 3``, ``killed by SIGSEGV``."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit status {os.WEXITSTATUS(status)}"


def exit_code_of(status: int) -> int:
    """Turn a wait status into an exit code as a shell does: 128 + n for signal n."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def ended_children() -> Iterator[tuple[int, int]]:
    """Collect the children that have ended, each with its wait status; as PID 1 anybody's."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, status
