"""A new generation beside the serving one; that one stays if anything is wrong with the new."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pastebox.errors import ExitCode, PasteboxError, TemporaryError
from pastebox.master.doors import Doors
from pastebox.master.fleet import Fleet
from pastebox.master.head_start import bind_one
from pastebox.master.prepare import Prepared, find, prepare
from pastebox.master.request import ServeRequest
from pastebox.master.succession import Succession, binds_itself
from pastebox.observe.status import Status
from pastebox.settings import Settings, options

log = logging.getLogger("pastebox.master")

_AT_A_START = ("first boot", "daemon", "development")
_FOLLOW = ("hooks_dir", "hook_timeout", "reload_wait", "reload_ahead")
_TAKEN = ("app", "mode", "health_host", "health_port", "worker_restarts", "run_dir")
FIXED = tuple(
    row.name
    for row in options()
    if row.name in _TAKEN or (row.group in _AT_A_START and row.name not in _FOLLOW)
)
"""Settings that have their effect at a start: first boot's, and what the master takes then."""


class Reload:
    """Loads the next generation when it is asked to.

    Args:
        request: what is served.
        fleet: the generations.
        status: keeps why one was refused.
        doors: the sockets.
        tell_systemd: sends a notification.
        failed: called when there will be no new generation, with the status that says why:
            75 where a restart could do it.
    """

    def __init__(
        self,
        request: ServeRequest,
        fleet: Fleet,
        status: Status,
        doors: Doors,
        *,
        tell_systemd: Callable[..., None],
        failed: Callable[[int], None],
    ) -> None:
        self._request = request
        self._fleet = fleet
        self._status = status
        self._doors = doors
        self._tell_systemd = tell_systemd
        self._failed = failed
        self._succession = Succession(fleet)
        self._taken: Settings | None = None
        self._is_wanted = False

    def ask(self, present: Prepared | None, *, at_once: bool = False) -> None:
        """Load a new generation, now or when the present ones are over.

        ``at_once`` does not wait for those that still drain.
        """
        if self._fleet.is_stopping or present is None or not self._fleet.generations:
            log.warning("reload ignored: nothing is served")
            if not self._fleet.is_stopping:
                self._tell_systemd(X_PASTEBOX_EXIT=ExitCode.TEMPORARY)
            return
        is_busy = len(self._fleet.generations) > 1 or self._fleet.serving is None
        self._is_wanted = is_busy and not at_once
        if self._is_wanted:
            log.info("reload follows when the present one is over")
            return
        self._taken = self._taken or present.settings
        self._tell_systemd(RELOADING=1, MONOTONIC_USEC=time.monotonic_ns() // 1000)
        try:
            prepared = self.prepare(present)
            if binds_itself(present, prepared):
                if not self._succession.begin(present, prepared):
                    self._failed(ExitCode.TEMPORARY)
                return
            sockets = self._doors.follow(prepared.binds, lambda bind: bind_one(bind, prepared))
        except PasteboxError as error:
            told = f"{error}, hint: {error.hint}" if error.hint else str(error)
            log.error("reload refused, the present generation goes on: %s", told)  # noqa: TRY400  # it says it all
            self._status.trouble(str(error))
            self._failed(error.exit_code)
            return
        self._name_what_stays(present, prepared)
        log.info("reloading")
        self._fleet.start(prepared, sockets)

    def prepare(self, present: Prepared) -> Prepared:
        """Read and check the configuration as it is now.

        Raises:
            PasteboxError: it cannot be served.
        """
        _, settings = find(self._request)
        prepared = prepare(self._request, present.source.spec, settings)
        most = self._fleet.most_workers
        if prepared.processes > most:
            raise TemporaryError(
                f"more than {most} workers take a restart",
                option=prepared.settings.origin("workers"),
                found=str(prepared.processes),
            )
        return prepared

    def what_stays(self, prepared: Prepared) -> list[str]:
        """Return the settings of it that take a restart: the master has others since its start."""
        taken, wanted = self._taken or prepared.settings, prepared.settings
        return [name for name in FIXED if getattr(taken, name) != getattr(wanted, name)]

    def settled(self, present: Prepared | None) -> None:
        """Begin what had to wait until one generation was left."""
        if self._is_wanted:
            self.ask(present)

    def following(self) -> Prepared | None:
        """Return who was waiting for the address to be free, once."""
        return self._succession.take()

    def _name_what_stays(self, present: Prepared, prepared: Prepared) -> None:
        """Say which changes of the configuration take a restart."""
        stays = self.what_stays(prepared)
        if stays:
            log.warning("takes a restart, and stays as it is: %s", ", ".join(stays))
        if self._doors.are_inherited and present.binds != prepared.binds:
            log.warning("the address has changed, but the sockets are inherited; the old ones stay")
