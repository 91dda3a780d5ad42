"""The reload of a server that binds by itself: the old generation goes before the new one comes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

from pastebox.master.fleet import Fleet
from pastebox.master.prepare import Prepared
from pastebox.process import sockets as listening

log = logging.getLogger("pastebox.master")


def binds_itself(*several: Prepared) -> bool:
    """Whether one of them takes no sockets of the master's."""
    return not all(prepared.runner.info.adopts_sockets for prepared in several)


def addresses(prepared: Prepared, listeners: Sequence[socket.socket]) -> list[str]:
    """Return where it serves, as a person would type it."""
    if binds_itself(prepared):
        return [str(bind) for bind in prepared.binds]
    return [listening.describe(listener) for listener in listeners]


class Succession:
    """Who follows when the address is free."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._follows: Prepared | None = None

    def begin(self, present: Prepared, prepared: Prepared) -> bool:
        """Have the present one drain; false where sockets cannot be handed over."""
        names = [one.runner.info.name for one in (present, prepared)]
        if present.runner.info.adopts_sockets or prepared.runner.info.adopts_sockets:
            log.error("reload refused: from %s to %s takes a restart", *names)
            return False
        log.warning("reloading: %s binds by itself, so nothing listens meanwhile", names[0])
        self._follows = prepared
        for generation in self._fleet.generations:
            self._fleet.drain(generation, present.settings.drain_timeout)
        return True

    def take(self) -> Prepared | None:
        """Return who follows, once."""
        following, self._follows = self._follows, None
        return following
