"""The watcher: a process beside the workers that tells the master what has changed, and no more.

It keeps what watching needs, its imports, its memory and its threads, out of the master. Lines of
JSON in both directions; it ends when the master does.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from typing import Any, NamedTuple

from pastebox.watch import link
from pastebox.watch.backends import Backends, changed_everywhere
from pastebox.watch.git import is_locked
from pastebox.watch.globs import Pattern
from pastebox.watch.interest import ASSET, CODE, DORMANT, Interest
from pastebox.watch.polling import TICK_S
from pastebox.watch.quiet import Burst
from pastebox.watch.scan import Scanner

_SAFETY_S = 60.0
"""How often everything is compared although events would have told: none is told of twice."""
_MOST_MESSAGE = 64 << 20
_SHOWN = 5


class Plan(NamedTuple):
    """What the watcher is started with.

    Attributes:
        mode: ``auto``, ``events`` or ``poll``.
        patterns: of ``[pastebox] watch``.
        files: the INI and what it includes.
        board: the descriptor that workers ask for.
    """

    mode: str
    patterns: tuple[Pattern, ...]
    files: tuple[str, ...]
    board: int


class Watcher:
    """The loop of the process.

    Args:
        plan: what to watch.
        channel: to the master.
        listener: for workers.
    """

    def __init__(self, plan: Plan, channel: socket.socket, listener: socket.socket) -> None:
        self._plan = plan
        self._channel = channel
        self._listener = listener
        self._interest = Interest(plan.patterns)
        self._scanner = Scanner(self._interest)
        self._backends = Backends(plan.mode, self._interest, self._scanner, self._complain)
        self._burst = Burst()
        self._workers: dict[int, tuple[socket.socket, bytearray]] = {}
        self._lines = b""
        self._has_failed = False
        self._is_over = False
        self._told = ""
        self._has_told_overflow = False
        self._poll = select.poll()

    def run(self) -> int:
        """Watch until the master is gone; return the exit status."""
        self._channel.setblocking(False)
        self._poll.register(self._channel.fileno(), select.POLLIN)
        self._poll.register(self._listener.fileno(), select.POLLIN)
        self._watch(self._interest.add_files(self._plan.files) | self._interest.roots())
        self._tell_choice()
        registered = self._register_events(-1)
        next_tick = time.monotonic() + TICK_S
        next_safety = time.monotonic() + _SAFETY_S
        while not self._is_over:
            registered = self._register_events(registered)
            now = time.monotonic()
            waits = [next_safety - now, self._burst_wait(now)]
            if self._backends.poller.directories:
                waits.append(next_tick - now)
            shortest = min(wait for wait in waits if wait is not None)
            for descriptor, _ in self._poll.poll(1000 * max(0.0, shortest) + 0.5):
                self._dispatch(descriptor)
            now = time.monotonic()
            if now >= next_tick:
                next_tick = now + TICK_S
                self._see(self._backends.poller.tick())
            if now >= next_safety:
                next_safety = now + _SAFETY_S
                self._see(changed_everywhere(self._scanner, self._scanner.directories))
            self._take_new()
            if self._burst_wait(time.monotonic()) == 0:
                self._act()
        return 0

    def _burst_wait(self, now: float) -> float | None:
        paths = self._burst.paths
        return self._burst.wait_s(now, is_locked=bool(paths) and is_locked(paths))

    def _register_events(self, before: int) -> int:
        """Wait on the source of events, which can come to its end."""
        events = self._backends.events
        now = -1 if events is None else events.fileno()
        if now != before:
            if before >= 0:
                self._poll.unregister(before)
            if now >= 0:
                self._poll.register(now, select.POLLIN)
        return now

    # -- what happens ------------------------------------------------------------------------

    def _dispatch(self, descriptor: int) -> None:
        if descriptor == self._channel.fileno():
            self._take_orders()
        elif descriptor == self._listener.fileno():
            self._accept()
        elif descriptor in self._workers:
            self._hear(descriptor)
        elif self._backends.events is not None:
            hints = self._backends.events.read()
            places = self._scanner.directories if hints.is_lost else sorted(hints.directories)
            self._see(changed_everywhere(self._scanner, places))

    def _take_orders(self) -> None:
        try:
            data = self._channel.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        self._is_over = not data
        *lines, self._lines = (self._lines + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            self._has_failed = order.get("failed", self._has_failed)
            if "files" in order:
                self._watch(self._interest.add_files(order["files"]))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection = link.accept(self._listener)
            if connection is None:
                return
            with contextlib.suppress(OSError):  # who does not want it may have left already
                socket.send_fds(connection, [b"b"], [self._plan.board])
            self._workers[connection.fileno()] = (connection, bytearray())
            self._poll.register(connection.fileno(), select.POLLIN)

    def _hear(self, descriptor: int) -> None:
        connection, message = self._workers[descriptor]
        try:
            data = connection.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        message += data
        if data and len(message) < _MOST_MESSAGE:
            return
        self._poll.unregister(descriptor)
        del self._workers[descriptor]
        connection.close()
        with contextlib.suppress(ValueError):  # it died in the middle of a word
            self._take_report(json.loads(bytes(message)))

    def _take_report(self, report: dict[str, Any]) -> None:
        if "failure" in report:
            self._tell(failure=report["failure"])
        touched = self._interest.add_files(report["files"])
        touched |= self._interest.add_trees(report["trees"])
        self._watch(touched)
        self._see(self._changed_meanwhile(report["files"], report["began_ns"]))
        self._tell_choice()
        if "others" in report:
            self._tell(others=report["others"], edited=report["edited"])

    def _changed_meanwhile(self, files: list[str], began_ns: int) -> list[str]:
        """Return files that were written after the worker began to read them.

        A time that lies ahead is a clock that goes wrong, and would reload for ever.
        """
        now = time.time_ns()
        found = []
        for path in files:
            directory, name = os.path.split(path)
            seen = self._scanner.marks(directory).get(name)
            if seen is not None and began_ns <= seen.mtime_ns <= now:
                found.append(path)
        return found

    # -- what is watched ---------------------------------------------------------------------

    def _watch(self, directories: set[str]) -> None:
        if not directories:
            return
        self._scanner.begin(directories)
        self._take_new()
        events = self._backends.events
        for directory in directories if events is not None else ():
            self._backends.add_files(directory)

    def _take_new(self) -> None:
        new = self._scanner.take_new()
        if new:
            self._backends.add(new)
        if self._scanner.overflow and not self._has_told_overflow:
            self._has_told_overflow = True
            self._complain(f"{self._scanner.overflow}; name what matters in [pastebox] watch")

    # -- what has changed --------------------------------------------------------------------

    def _see(self, changed: list[str]) -> None:
        kinds = (CODE, ASSET, DORMANT) if self._has_failed else (CODE, ASSET)
        self._burst.add([path for path in changed if self._kind(path) in kinds], time.monotonic())

    def _kind(self, path: str) -> str:
        return self._interest.kind(*os.path.split(path))

    def _act(self) -> None:
        """Tell the master of a burst that is over; polling looks once more whether it is."""
        poller = self._backends.poller
        if poller.directories:
            more = set(poller.look_everywhere()) - self._burst.paths
            if more:
                self._see(sorted(more))
                if self._burst_wait(time.monotonic()) != 0:
                    return
        paths = self._burst.take()
        is_code = any(self._kind(path) != ASSET for path in paths)
        self._tell(changed=paths[:_SHOWN], count=len(paths), kind=CODE if is_code else ASSET)

    # -- what the master is told -------------------------------------------------------------

    def _tell_choice(self) -> None:
        told = self._backends.told(self._scanner.files)
        if told != self._told and self._scanner.files:
            self._told = told
            self._tell(chosen=told)

    def _complain(self, text: str) -> None:
        self._tell(warning=text)

    def _tell(self, **message: object) -> None:
        data = json.dumps(message).encode() + b"\n"
        self._channel.setblocking(True)
        try:
            self._channel.sendall(data)
        except OSError:
            self._is_over = True
        self._channel.setblocking(False)


def run_watcher(plan: Plan, channel: socket.socket, listener: socket.socket) -> int:
    """Run in the forked child; signals to the group are the master's to act on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    return Watcher(plan, channel, listener).run()
