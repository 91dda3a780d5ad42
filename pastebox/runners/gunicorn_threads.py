"""The threads of gunicorn's ``gthread`` class: its executor on our pool."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from pastebox.runners.threaded_pool import Pool

_Task = tuple[Future[Any], Callable[[], Any]]


class Threads(Executor):
    """Calls functions in threads, after the next :meth:`hand_over`; all from one thread."""

    def __init__(self, threads: int) -> None:
        self._pool: Pool[_Task] = Pool(_call, threads)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        """Have a function called."""
        future: Future[Any] = Future()
        self._pool.add((future, partial(fn, *args, **named)))
        return future

    def timeout(self, longest: float) -> float:
        """Return when to call :meth:`hand_over` again at the latest."""
        return self._pool.timeout(longest)

    def hand_over(self) -> None:
        """Give the threads what was submitted, and leave them the interpreter for a moment."""
        self._pool.hand_over()


def _call(task: _Task) -> None:
    future, function = task
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the future's
        future.set_exception(error)
    else:
        future.set_result(result)
