"""A child that renews a lock, for as long as this start or a step of it lives.

It is a process, not a thread: a step is forked while it works, and a setup that holds the
interpreter for a minute must not lose the lock.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable

from pastebox.boot.patience import AwayError
from pastebox.process.child import start_child

_RETRY_S = 1.0


class Renewer:
    """The child and the two pipes to it.

    Nobody writes to either. The steps of this start inherit the one: when it ends, all of them
    have died, and the child lets the lock run out. The other ends with the child.

    Args:
        renew: renews once; false where the lock is lost, ``AwayError`` where it may work later.
        started: the clock when the lock was asked for.
        every_s: time between two renewals.
        gives_up_s: time since the last one was begun after which the lock counts as lost.
        session: a connection with which the lock ends: lost as soon as the other side closes it.
    """

    def __init__(
        self,
        renew: Callable[[], bool],
        *,
        started: float,
        every_s: float,
        gives_up_s: float,
        session: int | None = None,
    ) -> None:
        self._renew = renew
        self._started = started
        self._every_s = every_s
        self._gives_up_s = gives_up_s
        self._session = session
        self._start = os.getpid()
        ours_r, ours_w = os.pipe()
        theirs_r, theirs_w = os.pipe()
        self._ours, self._theirs = ours_w, theirs_r
        self._pid = start_child(lambda: self._work(ours_r), close=(ours_w, theirs_r))
        os.close(ours_r)
        os.close(theirs_w)

    def is_at_work(self) -> bool:
        """Whether the child has not given up, and has not died."""
        readable, _, _ = select.select([self._theirs], [], [], 0)
        return not readable

    def stop(self) -> None:
        """End the child."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        os.close(self._ours)
        os.close(self._theirs)

    def _work(self, ours: int) -> int:
        wait_s = self._every_s
        # Not only between two renewals: a server that hangs must not make one of them last.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(self._give_up()))
        self._wind_up(self._started)
        poll = select.poll()
        poll.register(ours, select.POLLIN)
        if self._session is not None:
            # Also where words of the server have not been read yet.
            poll.register(self._session, select.POLLRDHUP)
        while True:
            events = [descriptor for descriptor, _ in poll.poll(wait_s * 1000)]
            if ours in events:
                return 0
            if events:
                break
            asked = time.monotonic()
            try:
                if not self._renew():
                    break
                wait_s = self._every_s
                self._wind_up(asked)
            except AwayError:
                wait_s = min(_RETRY_S, self._every_s)
        return self._give_up()

    def _wind_up(self, renewed: float) -> None:
        left_s = renewed + self._gives_up_s - time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, max(0.001, left_s))

    def _give_up(self) -> int:
        """Tell what still runs: it must stop before another start begins."""
        if os.getppid() == self._start:
            os.kill(self._start, signal.SIGTERM)
        return 1
