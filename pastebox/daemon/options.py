"""Supervisor's options, fit for a container: no files, no change of user, our own errors."""

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from supervisor.options import ServerOptions

from pastebox.daemon.configs import CONFIGS, take_options
from pastebox.daemon.output import Lines, Streams
from pastebox.daemon.processes import OurProcess
from pastebox.errors import CannotCreateError, ConfigError
from pastebox.process.child import reset_signals
from pastebox.process.signals import SignalQueue, describe_status

log = logging.getLogger("pastebox.daemon")


class DaemonOptions(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    """What supervisor asks of its surroundings, and what processes tell.

    Args:
        signals: where signals arrive.
        streams: where output goes.
        as_json: each line is a JSON object.
        ended: told of a program that will not start again by itself, with its exit status.
    """

    first = True  # the loop of supervisor's own main sets these two
    test = False

    def __init__(
        self,
        signals: SignalQueue,
        streams: Streams,
        *,
        as_json: bool,
        ended: Callable[[Any, int], None],
    ) -> None:
        super().__init__()
        self.streams = streams
        self.ended = ended
        self.has_killed = False
        self.lingering: dict[int, Any] = {}
        self._signals = signals
        self._as_json = as_json

    # -- what supervisor would do to its surroundings --------------------------------------

    def usage(self, msg: str) -> NoReturn:
        """Raise what supervisor would print.

        Raises:
            ConfigError: always.
        """
        text = " ".join(str(msg).split())
        if "already listening" in text:
            raise CannotCreateError(
                "the control socket or port is in use: another daemon runs here",
                file=self.serverurl,
                hint="PASTEBOX_RUN_DIR and PASTEBOX_CONTROL_PORT choose others",
            )
        raise ConfigError(f"supervisor says: {text}", file=self.configfile)

    def processes_from_section(
        self, parser: Any, section: str, group_name: str, klass: Any = None
    ) -> list[Any]:
        """Return processes of ours."""
        found = super().processes_from_section(
            parser, section, group_name, CONFIGS.get(klass, klass)
        )
        for config in found:
            take_options(config, parser, section)
        return list(found)

    def make_logger(self) -> None:
        """Make supervisor's own words our debug lines."""
        self.logger = SupervisorLog()
        for text in self.parse_warnings:
            log.warning("%s", text)

    def set_uid_or_exit(self) -> None:
        """Stay who we are."""

    def set_rlimits_or_exit(self) -> None:
        """Take the limits as they are."""

    def write_pidfile(self) -> None:
        """Write none: who asks uses the socket."""

    def cleanup_fds(self) -> None:
        """Close nothing: the descriptors are known."""

    def setsignals(self) -> None:
        """Leave the signals to our queue."""

    def reopenlogs(self) -> None:
        """There are none."""

    def fork(self) -> int:
        """Fork; until the child is another program, a signal ends it as it would end that one."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                reset_signals()
        finally:
            if pid != 0:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return pid

    # -- what processes tell ---------------------------------------------------------------

    def make_lines(self, process: OurProcess, channel: str) -> Lines:
        """Return what takes one stream of a process."""
        sink = self.streams.out if channel == "stdout" else self.streams.err
        return Lines(name_of(process), channel, sink, process.tail, as_json=self._as_json)

    def tell_started(self, process: OurProcess) -> None:
        """Say that it runs."""
        log.info("program started name=%s pid=%d", name_of(process), process.pid)

    def tell_stopped(self, process: OurProcess, status: int) -> None:
        """Say that it has ended as it was told to."""
        log.info("program stopped name=%s %s", name_of(process), _fact(status))

    def tell_ended(self, process: OurProcess, status: int) -> None:
        """Say that it has ended by itself."""
        log.info(
            "program ended name=%s %s seconds=%.3f",
            name_of(process),
            _fact(status),
            time.monotonic() - process.began,
        )

    def tell_pause(self, process: OurProcess, why: str, pause: float) -> None:
        """Say when it starts again."""
        reason = "" if why == "ended" else f" {why}"
        log.warning("program starts again in %.1f s name=%s%s", pause, name_of(process), reason)

    def tell_given_up(self, process: OurProcess, why: str) -> None:
        """Say that it does not start again."""
        log.error(
            "program given up name=%s exit=%d restarts=%d%s",
            name_of(process),
            process.code,
            process.config.restarts,
            "" if why == "ended" else f" reason: {why}",
        )

    def tell_killed(self, process: OurProcess) -> None:
        """Say that it did not end in time."""
        self.has_killed = True
        log.error(
            "program killed: it did not end by the deadline name=%s pid=%d",
            name_of(process),
            process.pid,
        )


class SupervisorLog:
    """The logger that supervisor writes to: all of it is for debugging but what is an error."""

    handlers: tuple[Any, ...] = ()

    def _debug(self, message: str, **facts: object) -> None:
        log.debug("%s", message % facts if facts else message)

    blather = trace = debug = info = warn = _debug

    def error(self, message: str, **facts: object) -> None:
        """Log an error."""
        log.error("supervisor says: %s", message % facts if facts else message)

    def critical(self, message: str, **facts: object) -> None:
        """Log an error; the socket without a password is meant, its mode keeps others out."""
        if "unix_http_server" in message and "authentication" in message:
            return
        self.error(message, **facts)

    def log(self, _level: int, message: str, **facts: object) -> None:
        """Log for debugging."""
        self._debug(message, **facts)

    def close(self) -> None:
        """Close nothing."""


def name_of(process: OurProcess) -> str:
    """Return the name by which a process is shown and asked for: its own, or ``group:name``."""
    name, group = str(process.config.name), process.group
    return name if group is None or group.config.name == name else f"{group.config.name}:{name}"


def _fact(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal={describe_status(status).rpartition(' ')[2]}"
    return f"exit={os.WEXITSTATUS(status)}"
