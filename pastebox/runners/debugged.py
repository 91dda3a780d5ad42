"""An application under a debugger: from another program by DAP, or with pdb on the terminal.

A worker tells the master of each session over a connection that lasts as long as the session. So
the master knows where the debugger of a generation is, and whom a reload must leave in peace.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from types import FrameType
from typing import Any

from pastebox.config.model import AppSource, WSGIApp
from pastebox.runners.loading import SESSIONS
from pastebox.watch import link

log = logging.getLogger("pastebox.worker")

_LOOK_AGAIN_S = 0.5

DAP, WAITS = "dap", "waits"
"""What a worker is asked for besides pdb: a debugger that listens; and to wait for its client."""


def load_debugged(source: AppSource, load: Callable[[AppSource], WSGIApp]) -> WSGIApp:
    """Return the application with ``breakpoint()`` at work, and a debugger where one is wanted."""
    generation, words, address = os.environ.pop(SESSIONS).split(" ", 2)
    sessions = Sessions(address, int(generation))
    attached = _listen(sessions) if DAP in words else None
    if "PYTHONBREAKPOINT" not in os.environ:  # a choice of the developer's own
        sys.breakpointhook = Hook(sessions, attached)
    if attached is None:
        return load(source)
    if WAITS in words:
        _debugpy().wait_for_client()
    return Traced(load(source))


class Sessions:
    """The worker's way to tell of its sessions.

    Args:
        address: the master's.
        generation: whose worker this is.
    """

    def __init__(self, address: str, generation: int) -> None:
        self._address = address
        self._generation = generation
        self._kept: list[Any] = []

    def begin(self, **facts: object) -> Any:
        """Tell of one; it ends when what is returned is closed, or with this process."""
        connection = link.connect(self._address)
        message = {"generation": self._generation, **facts}
        connection.sendall(json.dumps(message).encode() + b"\n")
        return connection

    def keep(self, **facts: object) -> None:
        """Tell of one that lasts as long as this process."""
        self._kept.append(self.begin(**facts))


def _listen(sessions: Sessions) -> Callable[[], bool]:
    """Start the debugger; the master leads clients to it. Return whether one is attached."""
    debugpy = _debugpy()
    # Processes of the application would be told to clients by a port that only this machine has.
    debugpy.configure(subProcess=False)
    _, port = debugpy.listen(("127.0.0.1", 0))
    sessions.keep(port=port)
    is_attached: Callable[[], bool] = debugpy.is_client_connected
    thread = threading.Thread(target=_let_go, args=(is_attached,), name="debugger", daemon=True)
    vars(thread).update(pydev_do_not_trace=True, is_pydev_daemon_thread=True)  # no stop stops it
    thread.start()
    return is_attached


def _let_go(is_attached: Callable[[], bool]) -> None:
    """Let threads run on that stand where nobody can tell them to.

    The debugger does it once, as its client leaves; a thread that was about to stop stops later.
    """
    lifecycle: Any = import_module("_pydevd_bundle.pydevd_thread_lifecycle")
    while True:
        time.sleep(_LOOK_AGAIN_S)
        standing = [one for one in threading.enumerate() if _stands(one, lifecycle.STATE_SUSPEND)]
        if standing and not is_attached():
            log.info("going on: the debugger left as a breakpoint was met count=%d", len(standing))
            for one in standing:
                lifecycle.internal_run_thread(one, lifecycle.set_additional_thread_info)


def _stands(thread: threading.Thread, state: int) -> bool:
    info = getattr(thread, "additional_info", None)  # what the debugger keeps of it
    return info is not None and info.pydev_state == state


def _debugpy() -> Any:
    return import_module("debugpy")  # an extra


class Traced:
    """The application, whose breakpoints work in threads that are not Python's own as well."""

    def __init__(self, app: WSGIApp) -> None:
        self._app = app
        self._trace: Callable[[], None] = _debugpy().debug_this_thread
        self._known = threading.local()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        if not hasattr(self._known, "is_traced"):
            self._known.is_traced = True
            if isinstance(threading.current_thread(), threading._DummyThread):  # noqa: SLF001  # a server's own thread
                self._trace()
        return self._app(environ, start_response)


class Hook:
    """What ``breakpoint()`` does: the debugger that is attached, else pdb on the terminal.

    Args:
        sessions: tells the master.
        attached: whether a debugger is there; ``None`` where none listens.
    """

    def __init__(self, sessions: Sessions, attached: Callable[[], bool] | None) -> None:
        self._sessions = sessions
        self._attached = attached
        self._local = threading.local()

    def __call__(self, *, header: str | None = None) -> None:
        """Stop in the caller's frame."""
        frame = sys._getframe(1)  # noqa: SLF001  # as pdb.set_trace does
        if self._attached is not None and self._attached():
            _stop_in_debugger(frame)
        elif _has_terminal():
            from pastebox.runners.prompt import Prompt  # noqa: PLC0415  # imports pdb

            prompt = Prompt(self._sessions, self._local)
            if header is not None:
                prompt.message(header)
            prompt.set_trace(frame)
        else:
            log.warning(
                "breakpoint passed by: there is neither a terminal (docker run -it) nor an"
                " attached debugger (PASTEBOX_DEBUGPY) file=%s line=%d",
                frame.f_code.co_filename,
                frame.f_lineno,
            )


def _has_terminal() -> bool:
    """Whether somebody can type here; a job in a shell's background would be stopped by reading."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:  # it is the terminal of another session
        return False


def _stop_in_debugger(frame: FrameType) -> None:
    pydevd: Any = import_module("pydevd")  # debugpy has brought it
    pydevd.settrace(
        suspend=True,
        trace_only_current_thread=True,
        patch_multiprocessing=False,
        stop_at_frame=frame,
        notify_stdin=False,
    )
