"""What the master does for somebody who debugs: one port for all generations, turns at a terminal.

Workers tell of each session by a connection that lasts as long as the session
(:mod:`pastebox.runners.debugged`), which holds behind every server that starts processes by itself.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import MutableMapping
from typing import Any

from pastebox.config.model import Bind
from pastebox.master.fleet import Fleet
from pastebox.master.relay import Relay
from pastebox.process import sockets as listening
from pastebox.process.loop import Loop
from pastebox.runners.loading import SESSIONS
from pastebox.settings import Settings
from pastebox.watch import link

log = logging.getLogger("pastebox.master")

_MOST_LINE = 4096


class _Session:
    """A debugger's port (``port``) or somebody at the prompt, in a generation."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.generation = 0
        self.port = 0
        self.line = b""


class Debugging:
    """The sessions of all generations.

    Args:
        loop: the master's.
        fleet: the generations.
        settings: what is wanted.
        environ: reaches the workers.

    Raises:
        PasteboxError: the debugger's port cannot be had.
    """

    def __init__(
        self, loop: Loop, fleet: Fleet, settings: Settings, environ: MutableMapping[str, str]
    ) -> None:
        self._loop = loop
        self._fleet = fleet
        self._environ = environ
        self._sessions: dict[int, _Session] = {}
        self._prompts: list[_Session] = []  # the first one has the terminal
        self._relay = _open_relay(loop, self._where, settings)
        self._listener, self._address = link.listen(
            environ.get("TMPDIR", "/tmp"),  # noqa: S108  # only where there is no abstract name space
            "debugger",
        )
        loop.on_readable(self._listener.fileno(), self._accept)
        words = [] if self._relay is None else ["dap"]
        # Four lines of advice for its own developers, at each of our reloads.
        environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
        if settings.wait_for_client:
            words.append("waits")
        self._tell_workers(words)
        self._terminal = _terminal()

    def served(self) -> None:
        """A generation serves: who debugs the one before goes on with this one."""
        self._tell_workers([] if self._relay is None else ["dap"])  # clients are waited for once
        if self._relay is not None:
            self._relay.move(self._newest())

    def is_busy(self, generation: int) -> bool:
        """Whether somebody stands in a debugger there."""
        at_prompt = any(one.generation == generation for one in self._prompts)
        return at_prompt or (self._relay is not None and self._relay.is_paused(generation))

    def close_in_child(self) -> None:
        """Give the descriptors back in a forked child."""
        self._listener.close()
        for session in self._sessions.values():
            session.connection.close()
        if self._relay is not None:
            self._relay.close_in_child()

    def close(self) -> None:
        """Let everybody go, and leave the terminal as it was."""
        for session in list(self._sessions.values()):
            self._end(session)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        if self._relay is not None:
            self._relay.close()
        if self._terminal is not None:
            _restore(self._terminal)

    # -- sessions ----------------------------------------------------------------------------

    def _tell_workers(self, words: list[str]) -> None:
        self._environ[SESSIONS] = f"{','.join(words) or 'pdb'} {self._address}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection = link.accept(self._listener)
            if connection is None:
                return
            session = self._sessions[connection.fileno()] = _Session(connection)
            self._loop.on_readable(connection.fileno(), lambda: self._hear(session))

    def _hear(self, session: _Session) -> None:
        try:
            data = session.connection.recv(_MOST_LINE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data or len(session.line) > _MOST_LINE:
            self._end(session)
            return
        session.line += data
        if session.line.endswith(b"\n") and not session.generation:
            self._begin(session, json.loads(session.line))

    def _begin(self, session: _Session, facts: dict[str, Any]) -> None:
        session.generation = facts["generation"]
        session.port = facts.get("port", 0)
        if "prompt" in facts:
            log.info("breakpoint generation=%d: pdb has the terminal", session.generation)
            self._prompts.append(session)
            if len(self._prompts) == 1:
                self._give_turn()
        elif self._relay is not None:
            self._relay.retry()

    def _end(self, session: _Session) -> None:
        self._sessions.pop(session.connection.fileno(), None)
        self._loop.forget(session.connection.fileno())
        session.connection.close()
        if session in self._prompts:
            had_turn = session is self._prompts[0]
            self._prompts.remove(session)
            if had_turn and self._prompts:
                self._give_turn()

    def _give_turn(self) -> None:
        with contextlib.suppress(OSError):
            self._prompts[0].connection.send(b"g")

    def _newest(self) -> int:
        serving = self._fleet.serving
        return serving.number if serving is not None else 0

    def _where(self) -> tuple[int, int] | None:
        """Return generation and port of the debugger that a newcomer is led to."""
        there = [one for one in self._sessions.values() if one.port]
        serving = self._newest()
        there.sort(key=lambda one: (one.generation == serving, one.generation))
        return (there[-1].generation, there[-1].port) if there else None


def _open_relay(loop: Loop, where: Any, settings: Settings) -> Relay | None:
    if settings.debugpy is None:
        return None
    host = settings.health_host
    bind = Bind("tcp", "127.0.0.1" if host.startswith("unix:") else host, settings.debugpy)
    listener, *others = listening.bind_sockets(bind, setting="PASTEBOX_DEBUGPY")
    for other in others:
        other.close()
    listener.listen(8)
    waits = ", which the application waits for" if settings.wait_for_client else ""
    log.info("a debugger can attach on %s%s", listening.describe(listener), waits)
    return Relay(loop, listener, where)


def _terminal() -> list[Any] | None:
    """Return how the terminal is set; ``None`` where there is none."""
    if not os.isatty(0):
        return None
    import termios  # noqa: PLC0415  # with a terminal only

    return termios.tcgetattr(0)


def _restore(terminal: list[Any]) -> None:
    """Set the terminal as it was: a prompt that was cut off has left it without echo."""
    import termios  # noqa: PLC0415  # with a terminal only

    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # it stops who is in the background
    with contextlib.suppress(termios.error):
        termios.tcsetattr(0, termios.TCSADRAIN, terminal)
    signal.signal(signal.SIGTTOU, before)
