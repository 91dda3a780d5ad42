"""granian's WSGI worker in a worker of ours, on sockets that the master has bound.

granian makes processes of its own and binds in each of them. Its Rust part alone, which serves
HTTP and calls Python in threads, takes a listening socket as it is, so the master's processes are
used, and with them everything that holds for the other servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from granian import _futures, _granian
from granian.http import HTTP1Settings, HTTP2Settings

from pastebox.config.model import WSGIApp
from pastebox.errors import ExitCode
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.context import WorkerContext
from pastebox.runners.granian_calls import Calls
from pastebox.runners.granian_options import BACKPRESSURE, BLOCKING_THREADS, of_protocol
from pastebox.runners.obedience import ObedientThread
from pastebox.runners.watch import tell_cut, watch

_rust: Any = _granian  # its type stubs are of an older release
_bridge: Any = _futures

_HANDSHAKE_S = 0.05
"""How long a handshake that has begun when the master refuses newcomers may take."""
_WARM_S = 1.0
"""A process that has served a request this recently has clients that are about to send more."""
_WARM_GRACE_S = 0.25
"""How long they get, from the last answer that has arrived; the answers say ``close``."""
_MOST_GRACE_S = 3.0
"""Busy clients of connections that HTTP/2 keeps open never end, so this does."""
_HEADER_GRACE_S = 0.4
"""How long the head of a request may take that began to arrive before the drain."""
_TICK_S = 0.02


class GranianServer:
    """One process: granian's part for each socket, and the way to its end."""

    def __init__(
        self,
        app: WSGIApp,
        values: Mapping[str, object],
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> None:
        self._context = context
        self._deadline = float("inf")
        self._is_told = threading.Event()
        lines = AccessLines(context.access) if context.access is not None else None
        self._calls = Calls(
            app,
            context.counters,
            lines,
            prefix=str(values.get("url_path_prefix", "")),
            is_multiprocess=context.workers > 1,
        )
        self._listeners = {_identity(one.fileno()) for one in sockets}
        self._held: dict[int, socket.socket] = {}  # by the descriptor that granian has
        self._is_held = False
        self._ends = [self._serve_on(one, values) for one in sockets]
        ObedientThread(context, self, tick=self._calls.catch_up).start()
        threads = int(str(values.get("blocking_threads", BLOCKING_THREADS)))
        watch(context, self._calls.running, threads)

    # -- orders, from their thread ---------------------------------------------------------

    def become_lame(self) -> None:
        """Answer with ``Connection: close`` from now on."""
        self._calls.is_lame = True

    def hold(self, *, is_held: bool) -> None:
        """Leave newcomers to the next generation."""
        if self._is_told.is_set() or is_held == self._is_held:
            return
        self._is_held = is_held
        if is_held:
            self._held = self._stop_accepting()
            return
        held, self._held = self._held, {}
        for descriptor, listener in held.items():
            os.dup2(listener.fileno(), descriptor, inheritable=False)
            # It waits for the next event, as it has seen that of those who wait already.
            with contextlib.suppress(OSError), socket.socket(listener.family) as poke:
                poke.settimeout(_HANDSHAKE_S)
                poke.connect(listener.getsockname())
            listener.close()

    def start_drain(self, seconds: float) -> None:
        """End within ``seconds``, or sooner than was said before."""
        self._calls.is_lame = True
        self._deadline = min(self._deadline, time.monotonic() + seconds)
        self._is_told.set()

    # -- the main thread -------------------------------------------------------------------

    def run(self) -> int:
        """Serve until told to drain; return how many requests were cut off."""
        self._is_told.wait()
        if not self._is_held:  # else the next generation takes who comes
            time.sleep(min(_HANDSHAKE_S, max(0.0, self._deadline - time.monotonic())))
        for kept in (*self._stop_accepting().values(), *self._held.values()):
            kept.close()
        self._context.notify.send(STOPPING=1)
        self._wait_for_clients()
        for signal, _ in self._ends:
            signal.set()
        self._wait_for_requests()
        self._calls.catch_up()
        cut = self._calls.running()
        tell_cut(cut)
        return len(cut)

    def _stop_accepting(self) -> dict[int, socket.socket]:
        """Put a listener that nobody knows in the place of each of ours; return these.

        granian stops to accept only when it closes its connections as well, and with them those
        that it has just accepted, whose first request is under way.
        """
        kept = {}
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind("")  # a name that the kernel makes up (unix(7))
            deaf.listen(1)
            deaf.setblocking(False)
            for descriptor in [one for one in _descriptors() if self._is_listener(one)]:
                kept[descriptor] = socket.socket(fileno=os.dup(descriptor))
                os.dup2(deaf.fileno(), descriptor, inheritable=False)
        return kept

    def _is_listener(self, descriptor: int) -> bool:
        try:
            return _identity(descriptor) in self._listeners
        except OSError:  # it was closed meanwhile
            return False

    def _wait_for_requests(self) -> None:
        """Wait until granian has ended, or nobody is owed anything for a moment.

        granian waits for connections that have not sent the whole head of a request; we do not.
        """
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < self._deadline:
            if self._calls.in_flight or _unacknowledged():
                quiet_since = now
            elif now - quiet_since > _HEADER_GRACE_S or self._is_over():
                return
            time.sleep(_TICK_S)

    def _is_over(self) -> bool:
        return all(is_over.is_set() for _, is_over in self._ends)

    def _wait_for_clients(self) -> None:
        """Give clients the time to send what may be under way on connections that are there."""
        began = quiet_since = time.monotonic()
        is_warm = began - self._calls.last < _WARM_S or bool(_unacknowledged())
        grace = _WARM_GRACE_S if is_warm else _HANDSHAKE_S
        until = min(self._deadline, began + _MOST_GRACE_S)
        while (now := time.monotonic()) < until and now - quiet_since < grace:
            quiet_since = now if _unacknowledged() else max(quiet_since, self._calls.last)
            time.sleep(_TICK_S)

    def _serve_on(
        self, listener: socket.socket, values: Mapping[str, object]
    ) -> tuple[Any, threading.Event]:
        """Start granian's part on one socket; return what ends it, and what tells the end."""
        is_unix = listener.family == socket.AF_UNIX
        holder = _rust.SocketHolder(listener.detach(), is_unix, 1024)
        is_over = threading.Event()
        signal = _rust.WorkerSignal()
        signal.add_cb(is_over.set)
        worker = _rust.WSGIWorker(
            1,
            (None, holder),
            None,
            values.get("runtime_threads", 1),
            values.get("runtime_blocking_threads", 512),
            values.get("blocking_threads", BLOCKING_THREADS),
            values.get("blocking_threads_idle_timeout", 30),
            values.get("backpressure", BACKPRESSURE),
            values.get("http", "auto"),
            HTTP1Settings(**of_protocol(values, "http1")),
            HTTP2Settings(**of_protocol(values, "http2")),
            None,
            *_tls(values),
            (None, None),
        )
        mode = "str" if values.get("runtime_mode") == "st" else "mtr"
        serve = getattr(worker, f"serve_{mode}{'_uds' if is_unix else ''}")
        loop = asyncio.new_event_loop()
        answer = self._calls.answer
        serve(_bridge._new_cbscheduler(loop, answer, impl_asyncio=True), loop, signal)  # noqa: SLF001  # there is no other door
        return signal, is_over


def exit_code(cut: int, context: WorkerContext) -> int:
    """Tell the master what was cut off; return the exit status."""
    if cut:
        context.notify.send(X_PASTEBOX_CUT=cut)
        return ExitCode.DRAIN_TIMEOUT
    return ExitCode.OK


def _tls(values: Mapping[str, object]) -> tuple[object, ...]:
    protocol = values.get("ssl_protocol_min", "tls1.3")
    if "ssl_cert" not in values:
        return (False, None, None, None, protocol, None, [], False)
    return (
        True,
        os.path.abspath(str(values["ssl_cert"])),
        os.path.abspath(str(values["ssl_key"])),
        values.get("ssl_key_password"),
        protocol,
        os.path.abspath(str(values["ssl_ca"])) if "ssl_ca" in values else None,
        [],
        bool(values.get("ssl_client_verify")),
    )


def _unacknowledged() -> int:
    """Return the bytes that the peers of this process's sockets have not taken (SIOCOUTQ).

    granian shows none of its connections, so every descriptor is asked; who is no socket refuses.
    """
    total = 0
    for descriptor in _descriptors():
        try:
            answer = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:
            continue
        total += struct.unpack("i", answer)[0]
    return total


def _descriptors() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/fd")]


def _identity(descriptor: int) -> tuple[int, int]:
    """Return what two descriptors of the same socket have in common."""
    facts = os.fstat(descriptor)
    return (facts.st_dev, facts.st_ino)
