"""The master: one thread, one loop, all sockets and signals, and never the application."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from pastebox.config.model import ConfigSpec
from pastebox.errors import ExitCode
from pastebox.master import first_boot, last_hooks
from pastebox.master.changes import Changes
from pastebox.master.doors import Doors
from pastebox.master.fleet import Fleet
from pastebox.master.generation import Generation
from pastebox.master.head_start import HeadStart, bind_application
from pastebox.master.prepare import Prepared, find, prepare
from pastebox.master.reload import Reload
from pastebox.master.request import ServeRequest
from pastebox.master.stop import StopSequence
from pastebox.master.succession import addresses
from pastebox.master.systemd import Systemd
from pastebox.master.worker import Worker
from pastebox.observe import status as phases
from pastebox.observe.logs import configure, reopen
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.notify import Message
from pastebox.process.signals import (
    STOPPING,
    SignalQueue,
    describe_status,
    ended_children,
    exit_code_of,
)
from pastebox.runners.options import reach_note
from pastebox.settings import Settings, unknown_names

if TYPE_CHECKING:
    from pastebox.master.health import Health

log = logging.getLogger("pastebox.master")


class Master:
    """Serves one request of the command line, from first boot to the clean stop."""

    def __init__(
        self, request: ServeRequest, signals: SignalQueue, start: HeadStart, early: Worker
    ) -> None:
        self.request = request
        self.loop = Loop()
        self.status = Status()
        self.exit_code: int = ExitCode.OK
        self._signals = signals
        self._began = time.monotonic()
        self._start = start
        self._doors = start.doors or Doors({}, [])
        self._prepared = start.prepared
        self._boot: first_boot.BootChild | None = None
        self._health: Health | None = None
        self._systemd = Systemd(request.environ, self.loop, self.status)
        self._notify = start.notify
        self._fleet = Fleet(
            self.loop,
            self.status,
            self,
            notify_address=self._notify.address,
            in_child=self._in_child,
            early=early,
        )
        self._stop = StopSequence(self.loop, self._fleet, self._doors.refuse, self.workers_gone)
        self._reload = Reload(
            request,
            self._fleet,
            self.status,
            self._doors,
            tell_systemd=self._systemd.tell,
            failed=self.reload_failed,
        )
        self._changes = Changes(
            self.loop,
            self._fleet,
            self.status,
            request,
            self._reload,
            in_child=self._in_child,
            end=self._begin_stop,
        )

    def run(self) -> int:
        """Serve until told to stop; return the exit status.

        Raises:
            PasteboxError: what keeps the application from being served.
        """
        self.loop.on_readable(self._signals.fileno(), self._take_signals)
        self.loop.on_readable(self._notify.fileno(), self._take_notifications)
        try:
            self._begin()
            self.loop.run()
        finally:
            self._close()
        settings = self._start.settings if self._prepared is None else self._prepared.settings
        return last_hooks.run(settings, self.request.environ, self.exit_code)

    # -- start -----------------------------------------------------------------------------

    def _begin(self) -> None:
        settings = self._start.settings
        configure(settings.log_format, settings.log_level)
        for name, near in unknown_names(self.request.environ):
            log.warning("unknown variable %s%s", name, f", did you mean {near}" if near else "")
        self._tell_notes(self._prepared)
        if settings.mode == "sleep":
            self.status.enter(phases.SLEEPING)
            self._systemd.tell(READY=1, STATUS="sleeping")
            log.info("sleeping: nothing is served; pastebox explain says what would be")
        elif self._start.settled:
            log.info("first boot: nothing to do: %s", self._start.settled)
            self._serve(None, settings)
        else:
            self._boot = first_boot.start_boot(
                self.request, self._start.located, settings, self._notify.address, self._in_child
            )
        if self._start.health is not None:
            self._open_health(self._start.health)

    def _open_health(self, listener: socket.socket) -> None:
        from pastebox.master.health import Health  # noqa: PLC0415  # while the worker loads

        self._health = Health(self.loop, self.status, listener)
        if self._fleet.generations and self._prepared is not None:
            self._health.serve(self._prepared, self._doors.sockets)

    def _boot_ended(self, boot: first_boot.BootChild, status: int) -> None:
        self._boot = None
        outcome = first_boot.read_outcome(boot)
        if self._fleet.is_stopping:
            self._finish(ExitCode.OK)
        elif outcome is None:
            self.status.enter(phases.FAILED, describe_status(status))
            self._finish(exit_code_of(status) or ExitCode.FAILURE)
        elif not outcome.ready:
            self._finish(ExitCode.OK)
        else:
            for name, value in outcome.environ.items():
                if value is None:
                    self.request.environ.pop(name, None)
                else:
                    self.request.environ[name] = value
            if self._prepared is None or outcome.environ:
                self._prepared = None
            self._serve(outcome.spec, find(self.request)[1])

    def _boot_tells(self, phase: str, detail: str) -> None:
        if phase in phases.PHASES:
            self.status.enter(phase, detail)
        else:
            self.status.progress(f"{phase}: {detail}")
        self._systemd.tell(STATUS=f"{phase} {detail}")

    def _serve(self, spec: ConfigSpec | None, settings: Settings) -> None:
        if self._prepared is None:
            assert spec is not None  # noqa: S101  # first boot made an INI, or refused
            self._prepared = prepare(self.request, spec, settings)
            self._tell_notes(self._prepared)
        if not self._doors.sockets:
            self._doors.take(bind_application(self.request, self._prepared))
        self._doors.listen()
        self.status.enter(phases.LOADING)
        self._changes.begin(self._prepared)
        self._fleet.start(self._prepared, self._doors.sockets)
        self._tell_facts(self._prepared)

    @staticmethod
    def _tell_notes(prepared: Prepared | None) -> None:
        for note in prepared.spec.notes if prepared is not None else ():
            log.info("%s", note)

    def _tell_facts(self, prepared: Prepared) -> None:
        binds = addresses(prepared, self._doors.sockets)
        self.status.set_facts(ini=prepared.source.spec.path, binds=binds)
        if self._health is not None:
            self._health.serve(prepared, self._doors.sockets)

    def _in_child(self) -> None:
        """Give up, in a forked child, what is the master's alone."""
        self.loop.close()
        self._signals.forget()
        self._notify.close_in_child()
        if self._health is not None:
            self._health.close_in_child()
        self._doors.close_in_child()
        self._fleet.close_orders_in_child()
        self._changes.close_in_child()

    # -- what becomes of the workers (the fleet's observer) --------------------------------

    def generation_serves(self, generation: Generation, before: Generation | None) -> None:
        """Say so, to the log and to systemd."""
        self._prepared = generation.prepared
        self._changes.served(generation.prepared)
        self._announce(generation, before)
        self._systemd.tell_serving(generation.number, before)  # last: somebody may wait for it

    def _announce(self, generation: Generation, before: Generation | None) -> None:
        has_moved = self._doors.settle()
        if before is not None:
            configure(
                generation.prepared.settings.log_format, generation.prepared.settings.log_level
            )
            log.info("generation %d serves, generation %d drains", generation.number, before.number)
            if has_moved:
                told = addresses(generation.prepared, self._doors.sockets)
                log.info("listening on %s from now on", ", ".join(told))
            self._tell_facts(generation.prepared)
            return
        self.status.enter(phases.SERVING)
        info = generation.prepared.runner.info
        log.info(
            "listening on %s runner=%s workers=%d seconds=%.3f",
            ", ".join(
                f"{info.protocols[0]}://{one}"
                for one in addresses(generation.prepared, self._doors.sockets)
            ),
            info.name,
            generation.prepared.workers,
            time.monotonic() - self._began,
        )
        note = reach_note(generation.prepared.spec, generation.prepared.binds)
        if note and not self._doors.are_inherited:
            log.warning("%s", note)

    def reload_failed(self, code: int) -> None:
        """Tell systemd that the reload is over, though not as hoped."""
        self._doors.drop()
        self._changes.failed()
        self._systemd.tell(READY=1, STATUS=f"reload failed: {code}", X_PASTEBOX_EXIT=code)

    def workers_failed(self, code: int) -> None:
        """End with the worker's own status, after draining what still serves."""
        self.exit_code = code
        self.status.enter(phases.FAILED, f"exit status {code}")
        if not self._fleet.generations:
            self._finish(code)
        elif not self._fleet.is_stopping:
            self._begin_stop("worker")

    def workers_gone(self) -> None:
        """End: nothing is left to wait for."""
        if self._boot is None:
            self._finish(ExitCode.DRAIN_TIMEOUT if self._fleet.cut else self.exit_code)

    def nobody_accepts(self) -> None:
        """Close the listeners, so that newcomers are refused at once."""
        self._doors.close_sockets()

    def all_drained(self) -> None:
        """Start the generation that waited for its predecessor to free the address."""
        following = self._reload.following()
        if following is not None and not self._fleet.is_stopping:
            self._fleet.start(following, self._doors.sockets)

    def settled(self) -> None:
        """Reload once more if that was asked for meanwhile."""
        self._reload.settled(self._prepared)

    # -- stop ------------------------------------------------------------------------------

    def _begin_stop(self, reason: str) -> None:
        self.status.drain_started()
        self._systemd.tell(STOPPING=1, STATUS="draining")
        self._changes.stopping()
        if self._boot is not None:
            # first boot passes the signal on to its step, and kills it when it comes again
            log.info("stopping during first boot reason=%s", reason)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._boot.pid, signal.SIGTERM)
        self._stop.begin(reason)

    def _finish(self, code: int) -> None:
        cut = self._fleet.cut
        if cut:
            log.error("requests were cut off count=%d", cut)
        self.exit_code = code
        self.status.drain_ended(cut)
        self.status.enter(phases.STOPPED)
        log.info("stopped exit=%d seconds=%.3f", code, time.monotonic() - self._began)
        self.loop.stop()

    def _close(self) -> None:
        self._fleet.kill_all()
        self._changes.close()
        self._doors.close()
        if self._health is not None:
            self._health.close()
        self._notify.close()

    # -- events ----------------------------------------------------------------------------

    def _take_signals(self) -> None:
        for number in self._signals.take():
            if number in STOPPING:
                self._begin_stop(signal.Signals(number).name)
            elif number == signal.SIGHUP:
                self._reload.ask(self._prepared)
            elif number == signal.SIGUSR1:
                reopen()
                for generation in self._fleet.generations:
                    generation.signal(signal.SIGUSR1)
        self._reap()

    def _reap(self) -> None:
        """Collect every child that has ended: ours, and as PID 1 anybody's."""
        self._take_notifications()  # what a worker said comes before its end
        for pid, status in ended_children():
            found = self._fleet.find(pid)
            if found is not None:
                self._fleet.worker_ended(*found, status)
            elif self._boot is not None and pid == self._boot.pid:
                self._boot_ended(self._boot, status)
            else:
                self._changes.child_ended(pid)

    def _take_notifications(self) -> None:
        for message in self._notify.receive():
            self._take_notification(message)

    def _take_notification(self, message: Message) -> None:
        fields = message.fields
        if self._boot is not None and first_boot.PHASE in fields:
            if not self._fleet.is_stopping:
                self._boot_tells(fields[first_boot.PHASE], fields.get("STATUS", ""))
            return
        self._fleet.hear(message)
