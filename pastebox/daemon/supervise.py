"""Supervisor's own loop in our process, with our stop and our exit status."""

import logging
import signal
from collections.abc import Callable
from itertools import groupby
from typing import Any

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.states import STOPPED_STATES, ProcessStates, SupervisorStates
from supervisor.supervisord import Supervisor

from pastebox.daemon.options import DaemonOptions, name_of
from pastebox.daemon.order import StopOrder
from pastebox.daemon.output import Streams
from pastebox.daemon.plan import Plan
from pastebox.daemon.processes import OurProcess
from pastebox.daemon.programs import WEB
from pastebox.daemon.relay import Relay
from pastebox.daemon.update import Changes, Update
from pastebox.errors import ExitCode, PasteboxError
from pastebox.process.signals import STOPPING, SignalQueue

log = logging.getLogger("pastebox.daemon")

_SOON_S = 0.05
_HURRY_S = 2.0
_LAST_WORDS_S = 2.0
"""How long the reader of our output may take for the last lines."""


class Supervision(Supervisor):  # type: ignore[misc]  # supervisor has no types
    """One run, from the start of all programs to their end.

    Args:
        config: the path of the rendered configuration.
        plan: what it was rendered from.
        replan: returns what is to run now; it raises ``PasteboxError``.
        signals: where signals arrive.
        streams: where output goes.
        relay: who passes on what the application says of itself, if somebody listens.
        as_json: each line of output is a JSON object.
    """

    def __init__(
        self,
        config: str,
        plan: Plan,
        replan: Callable[[], Plan],
        signals: SignalQueue,
        streams: Streams,
        relay: Relay | None = None,
        *,
        as_json: bool = False,
    ) -> None:
        options = DaemonOptions(signals, streams, as_json=as_json, ended=self._ended)
        options.realize(["-n", "-c", config])
        super().__init__(options)
        self.changes = Update(self, plan)
        self._plan = plan
        self._replan = replan
        self._signals = signals
        self._streams = streams
        self._relay = relay
        if relay is not None:
            relay.is_heard = self._is_application
        self._order: StopOrder[OurProcess] | None = None
        self._told: list[OurProcess] = []
        self._exit_code: int | None = None
        self._is_told = False
        poll = options.poller.poll
        options.poller.poll = lambda longest: poll(min(longest, self._patience()))

    def supervise(self) -> int | None:
        """Run until everything has ended; return the exit status, ``None`` to begin anew.

        Raises:
            PasteboxError: the configuration is wrong, or the control socket cannot be had.
        """
        self.options.make_logger()
        if self._relay is not None and all(one.name != WEB for one in self._plan.programs):
            self._relay.tell(READY=1)  # nobody else would
        try:
            self.run()
        except asyncore.ExitNow:
            pass
        finally:
            for dispatcher in list(self.options.lingering.values()):
                dispatcher.finish()
            self._streams.flush(_LAST_WORDS_S)
            self.options.close_httpservers()
        if self.options.mood == SupervisorStates.RESTARTING:
            return None
        return self._result()

    def processes(self) -> list[OurProcess]:
        """Return every process, in the order of their names."""
        found = [one for group in self.process_groups.values() for one in group.processes.values()]
        return sorted(found, key=name_of)

    # -- the loop --------------------------------------------------------------------------

    def get_process_map(self) -> dict[int, Any]:
        """Return what the loop waits for: processes, our output, and signals."""
        relay = {self._relay.fileno(): self._relay} if self._relay is not None else {}
        return {
            **super().get_process_map(),
            **relay,
            **self.options.lingering,
            **self._streams.dispatchers(),
            self._signals.fileno(): _Wake(),
        }

    def _patience(self) -> float:
        is_busy = (
            self.options.mood < SupervisorStates.RUNNING
            or not self.changes.is_done
            or any(process.is_changing for process in self.processes())
        )
        return _SOON_S if is_busy else 1.0

    def handle_signal(self) -> None:
        """Act on the signals that came, and go on with an update."""
        for number in self._signals.take():
            if number in STOPPING:
                self.stop(signal.Signals(number).name)
            elif number == signal.SIGHUP:
                self._hang_up()
            elif number == signal.SIGUSR1:
                log.info("USR1 has no effect here: programs have log files of their own")
        if self._relay is not None:
            self._relay.beat()
        if self.options.mood >= SupervisorStates.RUNNING:
            self.changes.go_on()

    def _is_application(self, pid: int) -> bool:
        web = self.process_groups.get(WEB)
        return web is not None and any(one.pid == pid for one in web.processes.values())

    def _hang_up(self) -> None:
        """Update, and reload the application, as in the foreground."""
        try:
            done = self.update()
        except PasteboxError as error:
            log.error("nothing is changed: %s", error)  # noqa: TRY400  # it says it all
            return
        if WEB not in (*done.changed, *done.reloaded, *done.removed, *done.added):
            self.reload(WEB)

    def update(self) -> Changes:
        """Carry out what the configuration says now.

        Raises:
            PasteboxError: it is wrong; nothing has changed.
        """
        plan = self._replan()
        done = self.changes.begin(plan)
        self._plan = plan
        touched = done._replace(refused=())._asdict()  # they are told by who plans
        facts = [f"{name}={','.join(names)}" for name, names in touched.items() if names]
        log.info("updated %s", " ".join(facts) or "nothing")
        return done

    def reload(self, name: str) -> bool:
        """Send a program the signal that has it read its configuration; tell whether it has one."""
        sent = False
        for process in self.processes():
            word = process.config.reload_signal
            if name_of(process) == name and word and process.pid:
                process.signal(getattr(signal, f"SIG{word}"))
                sent = True
        return sent

    # -- the end ---------------------------------------------------------------------------

    def _ended(self, process: OurProcess, code: int) -> None:
        """Be told of a program that will not start again by itself."""
        if not process.config.essential or self.options.mood < SupervisorStates.RUNNING:
            return
        others = [one for one in self.processes() if self._goes_on_with(one, process)]
        if others:
            names = ",".join(map(name_of, others))
            log.warning("the others go on name=%s exit=%d others=%s", name_of(process), code, names)
            return
        code = code or self._failure_beside(process)
        self._exit_code = code
        level = logging.ERROR if code else logging.INFO
        name = name_of(process)
        log.log(level, "essential program ended: everything stops name=%s exit=%d", name, code)
        self.options.mood = SupervisorStates.SHUTDOWN

    def _failure_beside(self, process: OurProcess) -> int:
        """Return with what one of those failed that a process ends the whole together with."""
        word = process.config.together
        codes = [one.code for one in self.processes() if word and one.config.together == word]
        return next(filter(None, codes), 0)

    @staticmethod
    def _goes_on_with(other: OurProcess, process: OurProcess) -> bool:
        """Whether the end of a process is not the end of all, for this other one."""
        word = process.config.together
        return (
            bool(word)
            and other is not process
            and other.config.together == word
            and other.state not in STOPPED_STATES
        )

    def stop(self, reason: str) -> None:
        """Begin to stop; the second call stops at once."""
        was_told, self._is_told = self._is_told, True
        if was_told and self._order is not None:
            log.warning("stopping now reason=%s", reason)
            self._order.hurry(_HURRY_S)
            for process in self._told:
                process.end_by(self._order.deadline)
            return
        log.info("stopping reason=%s deadline=%ds", reason, self._plan.daemon.stop_seconds)
        self.options.mood = SupervisorStates.SHUTDOWN  # whatever it was doing

    def ordered_stop_groups_phase_1(self) -> None:
        """Tell those to stop whose turn it is."""
        if self._order is None:
            if self._relay is not None:
                self._relay.tell(STOPPING=1)
            groups = sorted(self.process_groups.values(), key=_priority, reverse=True)
            steps = [
                [process for group in step for process in group.processes.values()]
                for _, step in groupby(groups, _priority)
            ]
            self._order = StopOrder(steps, self._plan.daemon.stop_seconds)
        for process in self._order.due(_has_ended):
            if not _has_ended(process):
                self._told.append(process)
            process.end_by(self._order.deadline)

    def ordered_stop_groups_phase_2(self) -> None:
        """Have nothing to add."""

    def _result(self) -> int:
        if self._exit_code is not None:
            code = self._exit_code
        elif self.options.has_killed:
            code = ExitCode.DRAIN_TIMEOUT
        else:
            ends = [process for process in self._told if process.config.essential]
            code = next(filter(None, map(_code_of_stop, ends)), ExitCode.OK)
        return int(code)


class _Wake:
    """The descriptor that signals make readable; they are taken once in every turn of the loop."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        """Leave it to ``handle_signal``, which empties it."""


def _priority(group: Any) -> int:
    return int(group.config.priority)


def _has_ended(process: OurProcess) -> bool:
    return process.state in STOPPED_STATES


def _code_of_stop(process: OurProcess) -> int:
    """Return with what a program ended that was told to; its stop signal is as good as 0."""
    if process.state != ProcessStates.STOPPED or process.code is None:
        return 0
    return 0 if process.code == 128 + process.config.stopsignal else process.code
