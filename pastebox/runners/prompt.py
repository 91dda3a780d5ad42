"""pdb on the terminal of a service: one prompt at a time, and nobody ends it but who sits there."""

from __future__ import annotations

import pdb  # noqa: T100  # a developer's breakpoint() brought us here
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pastebox.runners.debugged import Sessions

_TO_THE_END = -1
"""The line at which bdb stops next when it was told to continue."""


class Prompt(pdb.Pdb):
    """pdb that waits for its turn: threads and generations share the terminal.

    Args:
        sessions: tells the master, which gives turns.
        local: what the thread has: its turn, from the first prompt until it continues.
    """

    def __init__(self, sessions: Sessions, local: threading.local) -> None:
        super().__init__(nosigint=True)  # an interrupt is the master's
        self._sessions = sessions
        self._local = local

    def interaction(
        self, frame: FrameType | None, traceback: TracebackType | None, *more: object
    ) -> None:
        """Talk with the developer."""
        turn = getattr(self._local, "turn", None)
        if turn is None:
            turn = self._local.turn = self._sessions.begin(prompt=True)
            turn.recv(1)  # the turn, or the end of the master
        try:
            super().interaction(frame, traceback, *more)
        finally:
            if self.quitting or self.stoplineno == _TO_THE_END:
                self._local.turn = None
                turn.close()
