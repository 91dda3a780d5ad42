"""What a thread is doing: the request it runs, for how long, and where in the code it is."""

import sys
import threading
import traceback
from typing import NamedTuple


class Running(NamedTuple):
    """A request in a thread.

    Attributes:
        thread: its ident.
        since: when it began, monotonic.
        method: GET.
        path: as the application sees it.
    """

    thread: int
    since: float
    method: str
    path: str

    def told(self, now: float) -> str:
        """Return it as facts of a log line; a path cannot break the line."""
        what = f"method={visible(self.method)} path={visible(self.path)}"
        return f"{what} seconds={now - self.since:.1f} thread={_name_of(self.thread)}"


def visible(text: str) -> str:
    """Return a text that cannot break a line of the log."""
    return text.encode("unicode_escape").decode("ascii")


def _name_of(ident: int) -> str:
    return next((one.name for one in threading.enumerate() if one.ident == ident), str(ident))


def stack_of(ident: int) -> str:
    """Return the Python stack of a thread, the latest call last; empty when it is gone."""
    frame = sys._current_frames().get(ident)  # noqa: SLF001  # the documented way to a stack
    return "".join(traceback.format_stack(frame)).rstrip() if frame is not None else ""
