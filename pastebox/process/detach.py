"""Leave the terminal for the background, and let the caller know how that went.

Three processes: the caller, who waits; between them a leader of a new session, who gives up the
terminal and remembers who must tell the caller; and the service, which can never have a terminal
again. The one between leaves as soon as the service serves, or ends as the service has ended, so
that the caller's exit status is true.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable

from pastebox.errors import CannotCreateError
from pastebox.process import output
from pastebox.process.child import start_child
from pastebox.process.notify import Message, NotifyReceiver
from pastebox.process.signals import STOPPING, SignalQueue, exit_code_of
from pastebox.process.sockets import inherited_descriptors

_WAITING = (signal.SIGCHLD, signal.SIGHUP, *STOPPING)
_TURN_S = 0.1
_FIRST = 3
"""The first descriptor that is not a standard one."""
_NOT_FOR_OTHERS = 0o022


def receiver(pid_file: str) -> NotifyReceiver:
    """Return who listens to the service of a PID file; one at a time can.

    Raises:
        CannotCreateError: somebody listens already.
    """
    import zlib  # noqa: PLC0415  # only here

    key = zlib.crc32(os.fsencode(os.path.realpath(pid_file)))
    try:
        return NotifyReceiver(
            os.environ.get("TMPDIR", "/tmp"),  # noqa: S108  # only where there is no abstract name space
            name=f"pastebox-background-{os.getuid()}-{key:08x}",
        )
    except OSError as error:
        raise CannotCreateError(
            f"another start or restart is under way: {error.strerror}", file=pid_file
        ) from error


def detach(
    target: Callable[[], int], told: NotifyReceiver, log_file: str, show: Callable[[], None]
) -> int:
    """Run ``target`` in the background; return 0 once it says ``READY=1``, else how it ended.

    Signals to this process go to the service until then.

    Args:
        target: the service; it finds ``NOTIFY_SOCKET`` in its environment.
        told: receives what it says; it is closed here.
        log_file: where its output goes.
        show: called again and again while this process waits.
    """
    passed = len(inherited_descriptors(os.environ, os.getpid()))
    with SignalQueue(_WAITING) as signals:
        between = start_child(
            lambda: _between(lambda: _service(target, told, log_file, passed), told),
            close=(signals.fileno(),),
            own_group=False,
        )
        told.close_in_child()
        while True:
            ended, status = os.waitpid(between, os.WNOHANG)
            show()
            if ended:
                return exit_code_of(status)
            _wait(signals.fileno())
            _pass_on(signals, between)


def _between(service: Callable[[], int], told: NotifyReceiver) -> int:
    """Start the service in a session without a terminal; leave when it serves or has ended."""
    os.setsid()
    with contextlib.closing(told), SignalQueue(_WAITING) as signals:
        pid = start_child(service, close=(signals.fileno(),), own_group=True)
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if any(message.fields.get("READY") == "1" for message in heard(told, pid)):
                return 0
            if ended:
                return exit_code_of(status)
            _wait(signals.fileno(), told.fileno())
            _pass_on(signals, pid)


def _service(target: Callable[[], int], told: NotifyReceiver, log_file: str, passed: int) -> int:
    """Be the service: nothing of the caller's is left open but the sockets that systemd passed."""
    told.close_in_child()
    # Files for this user to write. What the caller keeps from others stays kept from them.
    os.umask(os.umask(_NOT_FOR_OTHERS) | _NOT_FOR_OTHERS)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    output.redirect(log_file)
    _close_from(_FIRST + passed)
    os.environ["NOTIFY_SOCKET"] = told.address
    if passed:
        os.environ["LISTEN_PID"] = str(os.getpid())
    return target()


def _close_from(first: int) -> None:
    """Close what the caller had open, by one call of close_range(2) where the system has it.

    Up to the highest that is open, as elsewhere the numbers are gone through one by one, of which
    a container can have a thousand million.
    """
    highest = max(int(name) for name in os.listdir("/dev/fd"))
    os.closerange(first, highest + 1)


def heard(told: NotifyReceiver, pid: int) -> list[Message]:
    """Return what this process has said meanwhile, and nothing that anybody else has."""
    return [message for message in told.receive() if message.pid == pid]


def _wait(*descriptors: int) -> None:
    poll = select.poll()
    for one in descriptors:
        poll.register(one, select.POLLIN)
    poll.poll(1000 * _TURN_S)


def _pass_on(signals: SignalQueue, pid: int) -> None:
    for number in signals.take():
        if number != signal.SIGCHLD:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
