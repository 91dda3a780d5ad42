"""One step of first boot in a child of its own: its memory is given back, its end is certain."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from pastebox.boot.failure import failure_of, has_traceback
from pastebox.errors import (
    AppError,
    CannotCreateError,
    ConfigError,
    ExitCode,
    NoPermissionError,
    PasteboxError,
    TemporaryError,
    UnavailableError,
    UsageError,
)
from pastebox.process.child import ChildResult, run_child
from pastebox.process.deadline import Deadline
from pastebox.process.signals import pipe

Report = Callable[[str, str], None]
_KINDS: dict[str, type[PasteboxError]] = {
    kind.__name__: kind
    for kind in (
        AppError,
        CannotCreateError,
        ConfigError,
        NoPermissionError,
        PasteboxError,
        TemporaryError,
        UnavailableError,
        UsageError,
    )
}
_FIELDS = ("message", "file", "line", "section", "option", "found", "expected", "hint")
# A pipe of Linux takes this much before its writer would wait for a reader.
_LONGEST = 60_000


def run_step(name: str, work: Callable[[], None], *, limit_s: float, report: Report) -> None:
    """Run ``work`` in a child and wait for it; its error comes back as if raised here.

    The traceback of an application's exception is written by the child, where it happened.

    Raises:
        AppError: it raised, exited, was killed, or took longer than ``limit_s`` seconds.
        TemporaryError: this process was told to stop meanwhile.
        PasteboxError: what ``work`` raised of that family.
    """
    read_end, write_end = pipe()
    deadline = Deadline.after(limit_s)
    started = deadline.clock()
    try:
        result = run_child(
            name,
            lambda: _child_side(name, work, write_end, report),
            deadline=deadline,
            on_progress=lambda: report(name, f"running elapsed={deadline.clock() - started:.0f}s"),
        )
        _raise_for(result, _received(read_end), limit_s)
    finally:
        os.close(read_end)
        os.close(write_end)


def _child_side(name: str, work: Callable[[], None], write_end: int, report: Report) -> int:
    try:
        work()
        _wait_for_threads()
    except BaseException as error:  # noqa: BLE001  # a process boundary; it is reported below
        failure = failure_of(name, error)
        if failure is None:
            report(name, "warning: the application raised SystemExit(0), which counts as done")
            return 0
        if has_traceback(error):
            from pastebox.process.report import application_traceback  # noqa: PLC0415  # a failure

            sys.stderr.write(application_traceback(error))
        _send(write_end, failure)
        return int(failure.exit_code)
    return 0


def _wait_for_threads() -> None:
    """Wait for what the interpreter would wait for at its end: threads that are no daemons."""
    if "threading" not in sys.modules:
        return
    import threading  # noqa: PLC0415  # loaded already

    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _send(write_end: int, error: PasteboxError) -> None:
    import json  # noqa: PLC0415  # a failure only

    fields: dict[str, object] = {name: getattr(error, name) for name in _FIELDS}
    for name in ("message", "found", "hint"):
        text = fields[name]
        fields[name] = text[:8000] if isinstance(text, str) else text
    content = json.dumps({"kind": type(error).__name__, **fields}).encode()
    os.write(write_end, content[:_LONGEST])


def _received(read_end: int) -> PasteboxError | None:
    try:
        content = os.read(read_end, _LONGEST)
    except BlockingIOError:
        return None
    if not content:
        return None
    import json  # noqa: PLC0415  # a failure only

    fields = json.loads(content)
    kind = _KINDS.get(fields.pop("kind"), PasteboxError)
    message = fields.pop("message")
    return kind(message, **fields)


def interruption(what: str, number: int) -> TemporaryError:
    """Return the error of being told to stop by signal ``number``."""
    return TemporaryError(
        f"{what} was interrupted by {signal.Signals(number).name}",
        hint="the next start repeats it (PASTEBOX_SETUP_ON_PARTIAL=retry)",
    )


def raise_for_interruption(result: ChildResult) -> None:
    """Raise where this process was told to stop while the child ran.

    Raises:
        TemporaryError: naming the signal.
    """
    if result.interrupted_by is not None:
        raise interruption(result.name, result.interrupted_by)


def _raise_for(result: ChildResult, error: PasteboxError | None, limit_s: float) -> None:
    raise_for_interruption(result)
    if result.timed_out:
        raise AppError(
            f"{result.name} did not end within {limit_s:g} s, and was stopped",
            hint="PASTEBOX_SETUP_TIMEOUT sets the limit of one setup step",
        )
    if result.code == ExitCode.OK:
        return
    if error is not None:
        raise error
    if result.signal is not None:
        raise AppError(
            f"{result.name} was killed by {signal.Signals(result.signal).name}",
            hint="a SIGKILL that nobody sent is often the kernel's, for want of memory",
        )
    raise AppError(f"{result.name} ended with exit status {result.code}, without a message")
