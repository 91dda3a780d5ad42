"""A supervised process: supervisor's, with its true wait status and a restart budget.

Supervisor forgets which signal ended a program, restarts for ever what runs longer than a moment,
and counts by the clock on the wall. Here a program has a number of restarts in ten minutes, each
after a longer pause, and what it did last is kept.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import Any, cast

from supervisor import events
from supervisor.datatypes import RestartUnconditionally
from supervisor.options import NoPermission, NotExecutable, ProcessException
from supervisor.process import FastCGISubprocess, Subprocess
from supervisor.states import ProcessStates, SupervisorStates

from pastebox.daemon.channel import OutputDispatcher
from pastebox.daemon.output import Tail
from pastebox.master.budget import RestartBudget
from pastebox.process.signals import exit_code_of

NOT_FOUND, NOT_STARTED = 127, 126
"""What a shell says of a command that is not there, and of one that cannot be run."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class OurProcess(Subprocess):  # type: ignore[misc]  # supervisor has no types
    """A process of ours; see the module."""

    state: int
    killing: bool
    dispatchers: dict[int, Any]
    pipes: dict[str, int | None]
    event: Any

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.tail = Tail()
        self.since = time.monotonic()
        self.began = 0.0
        self.started = 0
        self.code: int | None = None
        self._retry_at = 0.0
        self._kill_at = 0.0
        self._ready_at = 0.0
        self._spawn_code = NOT_STARTED
        self.budget = self._fresh_budget()

    def _fresh_budget(self) -> RestartBudget:
        return RestartBudget(self.config.restarts, first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S)

    @property
    def age_s(self) -> float:
        """Seconds in the present state."""
        return time.monotonic() - self.since

    @property
    def is_changing(self) -> bool:
        """Whether the loop should look at it again soon."""
        return (
            self.state
            in (
                ProcessStates.STARTING,
                ProcessStates.BACKOFF,
                ProcessStates.STOPPING,
            )
            or self._is_new
        )

    @property
    def _is_new(self) -> bool:
        """Whether it is to be started for the first time."""
        is_idle = self.state == ProcessStates.STOPPED and not self.laststart
        return is_idle and bool(self.config.autostart)

    def change_state(self, new_state: int, expected: bool = True) -> Any:  # noqa: FBT001, FBT002  # supervisor's
        """Note when the state changed."""
        if new_state != self.state:
            self.since = time.monotonic()
        return super().change_state(new_state, expected)

    # -- start -----------------------------------------------------------------------------

    def spawn(self) -> Any:
        """Start because somebody asked for it: the budget is whole again."""
        self.budget = self._fresh_budget()
        return self._start()

    def _start(self) -> Any:
        self._spawn_code = NOT_STARTED
        self._daemon = os.getpid()
        pid = super().spawn()
        if self.state == ProcessStates.BACKOFF:
            self.code = self._spawn_code
            self._try_again(f"cannot be started: {self.spawnerr}")
        elif self.pid:
            self.started += 1
            self.began = time.monotonic()
            self._ready_at = self.began + self.config.startsecs
            self.config.options.tell_started(self)
        return pid

    def get_execv_args(self) -> Any:
        """Look the command up; keep what a shell would say where that fails."""
        try:
            return super().get_execv_args()
        except (NotExecutable, NoPermission):
            raise
        except ProcessException:
            self._spawn_code = NOT_FOUND
            raise

    def _prepare_child_fds(self) -> None:
        super()._prepare_child_fds()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        # A daemon that is killed takes its programs along, as one that is stopped.
        if sys.platform == "linux":
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != self._daemon:  # it was killed before it could be said
                os._exit(128 + signal.SIGTERM)

    # -- end -------------------------------------------------------------------------------

    def finish(self, pid: int, sts: int) -> None:  # noqa: ARG002  # supervisor's signature
        """Settle what the end of the process means."""
        self._give_up_pipes()
        self.laststop = time.time()
        self.code = self.exitstatus = exit_code_of(sts)
        was_stopped, self.killing = self.killing, False
        self.pid = 0
        if was_stopped:
            self.change_state(ProcessStates.STOPPED)
            self.config.options.tell_stopped(self, sts)
            return
        expected = self.code in self.config.exitcodes
        self.config.options.tell_ended(self, sts)
        always = self.config.autorestart is RestartUnconditionally
        if self.config.autorestart and (always or not expected):
            self.spawnerr = f"exit status {self.code}"
            self.change_state(ProcessStates.BACKOFF)
            self._try_again("ended")
            return
        self.change_state(ProcessStates.EXITED, expected)
        self.config.options.ended(self, self.code)

    def _give_up_pipes(self) -> None:
        """Take what is in the pipes, and leave those open that a child of it still writes to."""
        options = self.config.options
        for fd, dispatcher in self.dispatchers.items():
            if isinstance(dispatcher, OutputDispatcher):
                dispatcher.drain()
                if not dispatcher.closed:
                    options.lingering[fd] = dispatcher
            elif dispatcher.readable():
                dispatcher.handle_read_event()
        self.pipes = {
            name: None if fd in options.lingering else fd for name, fd in self.pipes.items()
        }
        options.close_parent_pipes(self.pipes)
        self.pipes = {}
        self.dispatchers = {}
        if self.event is not None:  # of a listener, and somebody else's now
            events.notify(events.EventRejectedEvent(self, self.event))
            self.event = None

    def _try_again(self, why: str) -> None:
        pause = self.budget.spend()
        if pause is not None and self.config.options.mood >= SupervisorStates.RUNNING:
            self._retry_at = time.monotonic() + pause
            self.config.options.tell_pause(self, why, pause)
            return
        self.system_stop = True
        self.change_state(ProcessStates.FATAL)
        self.config.options.tell_given_up(self, why)
        self.config.options.ended(self, cast("int", self.code))

    def kill(self, sig: int) -> Any:
        """Send a signal that ends it; the time until SIGKILL begins."""
        answer = super().kill(sig)
        self._kill_at = time.monotonic() + self.config.stopwaitsecs
        return answer

    def end_by(self, deadline: float) -> None:
        """Tell it to stop, if it runs, and kill it at the deadline, in monotonic time."""
        if self.state in (ProcessStates.RUNNING, ProcessStates.STARTING):
            self.stop()
        elif self.state == ProcessStates.BACKOFF:
            self.change_state(ProcessStates.STOPPED)
        elif self.state == ProcessStates.STOPPING and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, self.config.stopsignal)
        self._kill_at = deadline

    # -- time ------------------------------------------------------------------------------

    def transition(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if self.state == ProcessStates.STARTING and now >= self._ready_at:
            self.change_state(ProcessStates.RUNNING)
        elif self.state == ProcessStates.STOPPING and now >= self._kill_at:
            self.config.options.tell_killed(self)
            self.kill(signal.SIGKILL)
        if self.config.options.mood < SupervisorStates.RUNNING:
            return
        is_due = self.state == ProcessStates.BACKOFF and now >= self._retry_at
        if self._is_new or is_due:
            self._start()


class OurFastCGIProcess(OurProcess, FastCGISubprocess):  # type: ignore[misc]  # likewise
    """A process with a FastCGI socket."""

    def finish(self, pid: int, sts: int) -> None:
        """Let go of the socket as well."""
        super().finish(pid, sts)
        self.after_finish()
