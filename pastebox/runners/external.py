"""Any server that is not ours: a ``paste.server_runner`` or a ``paste.server_factory``.

It binds by itself and is told to stop by a signal, so the worker watches it from a thread: it
says READY when the process listens, and at the drain it lets running requests end before it
ends the server. What a server that knows none of this cannot do is said in the servers'
reference.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import AppError, ConfigError, ExitCode, PasteboxError
from pastebox.process.sockets import refuse_newcomers
from pastebox.runners import options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext
from pastebox.runners.middleware import Accounted
from pastebox.runners.obedience import ObedientThread

log = logging.getLogger("pastebox.worker")

_PATHS = ("unix_socket", "uds", "socket", "bind", "listen", "host")
_PAIRS = ("bind", "listen", "socket", "host")
_QUIET_S = 0.25
"""How long nothing must run before a server that knows no drain is ended."""
_DEAF_S = 1.0
"""How long after its signal, and with nothing running, a server may wait for idle connections."""
_GRACE_S = 1.0
"""How long before the deadline of a drain a server without one is ended."""


class ExternalRunner:
    """``use = egg:any#thing``, ``call:`` and ``paste.server_factory = module:object``."""

    info = RunnerInfo(
        name="external",
        protocols=("http",),
        adopts_sockets=False,
        owns_signals=False,
        multiprocess=False,
        extra=None,
        recycling=(),
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the address that common names of options say; nothing where none does.

        The options are the server's own: it gets them all, as texts, and checks them itself.

        Raises:
            ConfigError: ``port`` is not a port.
        """
        for name in _PATHS:
            text = spec.options.get(name, "")
            path = text.removeprefix("unix:")
            if path.startswith("/"):
                return (Bind("unix", path=path, mode=0o660),)
        for name in _PAIRS:
            host, colon, port = spec.options.get(name, "").rpartition(":")
            if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
                return (Bind("tcp", options.bare_host(host), int(port)),)
        if "port" not in spec.options:
            return ()
        try:
            port_number = options.port(spec.options["port"])
        except ValueError:
            found = f'"{spec.options["port"]}"'
            raise options.refusal(spec, "port", found=found, expected=options.PORT[1]) from None
        return (Bind("tcp", options.bare_host(spec.options.get("host", "")), port_number),)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],  # noqa: ARG002  # it takes none
        context: WorkerContext,
    ) -> int:
        """Load the application and hand it to the server, until that one returns.

        An exit status of the server's own is passed on.
        """
        from pastebox.config.source import load_server  # noqa: PLC0415  # worker only
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy
        from pastebox.runners.watch import watch as watch_requests  # noqa: PLC0415  # worker only

        server, protocol = load_server(spec.use)
        protocol = spec.protocol or protocol
        app = load(source)
        watch = _Watch(spec, context, self.binds(spec))
        accounted = Guest(app, context)
        watch.start(accounted)
        watch_requests(context, accounted.running, 0)
        try:
            with _told(spec):
                if protocol == "paste.server_factory":
                    server(dict(spec.global_conf), **spec.options)(accounted)
                else:
                    server(accounted, dict(spec.global_conf), **spec.options)
        except KeyboardInterrupt:
            if not watch.is_draining:
                raise
        except SystemExit as stop:
            if not watch.is_draining:
                log.error("the server %s has ended by itself status=%s", spec.use, stop.code)  # noqa: TRY400  # no defect
                raise
            if isinstance(stop.code, int) and stop.code:
                return stop.code
        finally:
            watch.write_log()
        if watch.is_draining:
            return watch.status()
        log.error("the server %s has returned by itself", spec.use)
        return ExitCode.FAILURE


@contextlib.contextmanager
def _told(spec: ServerSpec) -> Iterator[None]:
    """Turn what a server raises before it serves into an error with a place."""
    try:
        yield
    except PasteboxError:
        raise
    except TypeError as error:
        if not _is_signature(error):
            raise
        raise ConfigError(
            f"the server {spec.use} does not take these options: {error}",
            file=spec.file,
            section=spec.section,
            found=", ".join(sorted(spec.options)) or "no options",
        ) from error
    except Exception as error:
        raise AppError(
            f"the server {spec.use} has failed: {type(error).__name__}: {error}",
            file=spec.file,
            section=spec.section,
            hint="the traceback above is the server's own",
        ) from error


def _is_signature(error: TypeError) -> bool:
    """Whether the call itself did not fit, and not something within it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, _CONTEXTLIB):
        trace = trace.tb_next
    return trace is None


_CONTEXTLIB = contextlib.__file__


class Guest(Accounted):
    """An application in the hands of a server that may leave to it what is a server's business."""

    is_lame = False  # answers should close their connections

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Run it for one request; the answer to HEAD has no body, whoever knows that."""
        body = super().__call__(environ, start_response)
        if environ.get("REQUEST_METHOD") != "HEAD":
            return body
        for _ in body:  # the first part brings the header where the application is a generator
            break
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return []


class _Watch:
    """Ready, lame and drain of a server that does not know them."""

    def __init__(self, spec: ServerSpec, context: WorkerContext, binds: tuple[Bind, ...]) -> None:
        self.is_draining = False
        self._spec = spec
        self._context = context
        self._binds = binds
        self._is_ready = False
        self._deadline = float("inf")
        self._grace_s = _GRACE_S
        self._quiet_since = 0.0
        self._told_at = float("inf")
        self._cut = 0
        self._is_told = False
        self._interrupts = False
        self._accounted: Guest | None = None
        self._pid = os.getpid()

    def start(self, accounted: Guest) -> None:
        """Leave signals to the master as long as the server has no handlers, and begin to watch."""
        self._accounted = accounted
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take_signal)
        ObedientThread(self._context, self, tick=self._tick).start()

    def _take_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif self._interrupts:
            raise KeyboardInterrupt

    def become_lame(self) -> None:
        """Go on: few such servers can be told to say ``Connection: close``."""
        if self._accounted is not None:
            self._accounted.is_lame = True

    def start_drain(self, seconds: float) -> None:
        """End the server within ``seconds``: by TERM where it knows it, else when it is quiet."""
        now = time.monotonic()
        self.is_draining = True
        self.become_lame()
        for bind in self._binds:
            refuse_newcomers(_listeners(bind))
        self._deadline = min(self._deadline, now + seconds)
        self._grace_s = min(_GRACE_S, seconds / 4)
        self._quiet_since = self._quiet_since or now
        if signal.getsignal(signal.SIGTERM) != self._take_signal:
            self._tell(signal.SIGTERM)

    def status(self) -> int:
        """Return the exit status of a drain that is over, and count what it cut off."""
        cut = self._accounted.in_flight if self._accounted is not None else 0
        if cut > self._cut:
            self._context.notify.send(X_PASTEBOX_CUT=cut - self._cut)
            self._cut = cut
        return ExitCode.DRAIN_TIMEOUT if self._cut else ExitCode.OK

    def write_log(self) -> None:
        """Write the lines of the access log that are waiting."""
        if self._accounted is not None and self._accounted.lines:
            self._accounted.lines.write()

    def _tick(self) -> None:
        self.write_log()
        if not self._is_ready and (not self._binds or any(_listeners(self._binds[0]))):
            self._is_ready = True
            self._context.notify.send(READY=1)
        if not self.is_draining or self._accounted is None:
            return
        now = time.monotonic()
        if self._accounted.in_flight:
            self._quiet_since = now
        is_late = now > self._deadline - self._grace_s
        if (is_late or now - self._quiet_since > _QUIET_S) and not self._is_told:
            self._interrupts = True
            self.status()  # it may end the process itself
            self._tell(signal.SIGINT)
        is_deaf = now - max(self._told_at, self._quiet_since) > _DEAF_S
        if now > self._deadline or is_deaf:
            code = self.status()
            self.write_log()
            os._exit(code)

    def _tell(self, number: int) -> None:
        if not self._is_told:
            self._is_told = True
            self._told_at = time.monotonic()
            self._context.notify.send(STOPPING=1)
            os.kill(self._pid, number)


def _listeners(bind: Bind) -> Iterator[socket.socket]:
    """Give this process's listening sockets there, each as a duplicate for a moment (proc(5))."""
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError, ValueError):
                if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                    with socket.socket(fileno=os.dup(int(name))) as one:
                        if _is_listener(one, bind):
                            yield one


def _is_listener(one: socket.socket, bind: Bind) -> bool:
    if not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False
    address: Any = one.getsockname()
    if bind.kind == "unix":
        return bool(address == bind.path)
    return isinstance(address, tuple) and address[1] == bind.port
