"""The application's threads beside Twisted's reactor, which leaves them the interpreter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import reactor as default_reactor

from pastebox.runners.threaded_pool import BEHIND_S, Pool

reactor: Any = default_reactor


class Threads:
    """What of Twisted's ``ThreadPool`` its WSGI calls."""

    def __init__(self, threads: int) -> None:
        self._pool: Pool[Callable[[], object]] = Pool(lambda task: task(), threads)
        self._is_due = self._looks_again = False

    def callInThread(self, function: Callable[..., object], *args: Any) -> None:  # noqa: N802  # Twisted's name
        """Have it called in a thread, after whatever else the reactor has to do this time."""
        self._pool.add(partial(function, *args))
        if not self._is_due:
            self._is_due = True
            reactor.callLater(0, self._hand_over)

    def _hand_over(self) -> None:
        self._is_due = False
        self._pool.hand_over()
        if self._pool.is_behind and not self._looks_again:
            self._looks_again = True
            reactor.callLater(BEHIND_S, self._look_again)

    def _look_again(self) -> None:
        self._looks_again = False
        self._hand_over()
