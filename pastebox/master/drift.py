"""What is done when the configuration's files change under a running service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from pastebox.errors import PasteboxError
from pastebox.master.prepare import Prepared
from pastebox.observe.status import Status
from pastebox.process.loop import Loop, Timer
from pastebox.watch.drift import Facts, Stamps, replaced_outside, stamps

log = logging.getLogger("pastebox.master")

TICK_S = 0.5
SETTLE_S = 0.25
"""A file that has just changed may still be written."""
_SHOWN = 5


class Drift:
    """Compares the served configuration with its files, and follows the policy.

    Args:
        loop: the master's.
        status: shows the drift.
        prepared: what is served now.
        environ: where the ``_FILE`` variables are.
        prepare: reads and checks the configuration as it is now.
        stays: names the settings of a configuration that take a restart.
        reload: loads a new generation.
        end: drains, and ends the service.
    """

    def __init__(
        self,
        loop: Loop,
        status: Status,
        prepared: Prepared,
        environ: Mapping[str, str],
        *,
        prepare: Callable[[Prepared], Prepared],
        stays: Callable[[Prepared], list[str]],
        reload: Callable[[], None],
        end: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._status = status
        self._environ = environ
        self._prepare = prepare
        self._stays = stays
        self._reload = reload
        self._end = end
        self._served = prepared
        self._facts: Facts | None = None
        self._stamps: Stamps | None = None
        self._settling: Stamps | None = None
        self._acted_on = ""
        self._lost: set[str] = set()
        self._is_over = False
        self._timer: Timer | None = loop.call_later(0.0, self._tick)

    def serves(self, prepared: Prepared) -> None:
        """Another generation serves; what it was loaded from is what counts."""
        if prepared is not self._served:
            self._served = prepared
            self._facts = self._stamps = None
            self._acted_on = ""

    def stop(self) -> None:
        """Look no more: nothing follows."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        later = self._look()
        if not self._is_over:  # the look itself may end the service
            self._timer = self._loop.call_later(later, self._tick)

    def _look(self) -> float:
        """Compare; return the seconds until the next look."""
        facts = self._facts
        if facts is None:
            facts = self._facts = self._facts_of(self._served)
        now = stamps(self._served.config, facts.files)
        if now == self._stamps:
            return TICK_S
        if self._stamps is not None and now != self._settling:
            self._settling = now
            return SETTLE_S
        self._stamps, self._settling = now, None
        self._tell_lost(now)
        self._compare(facts)
        return TICK_S

    def _tell_lost(self, now: Stamps) -> None:
        for path in replaced_outside(now):
            if path not in self._lost:
                self._lost.add(path)
                log.warning(
                    "%s was replaced outside, and a mount of a single file cannot follow;"
                    " mount its directory, or start the container again",
                    path,
                )

    def _compare(self, facts: Facts) -> None:
        try:
            fresh = self._prepare(self._served)
            later = self._facts_of(fresh)
        except PasteboxError as error:
            self._refused(error)
            return
        changed = facts.differences(later)
        # What a new file brings is watched from now on as well. The stamps stay those from before
        # the reading: a change since then is for the next look.
        facts.files = list(dict.fromkeys([*facts.files, *later.files]))
        lost = fresh.config.lost(self._served.config)
        if lost is not None:
            self._refused(lost)
        elif not changed:
            if self._acted_on:
                log.info("the configuration is again the one that is served")
            stays = ", ".join(self._stays(self._served))
            self._status.drift.set(stays and f"takes a restart: {stays}")
            self._acted_on = ""
        elif later.digest != self._acted_on:
            # By what it says, not by where: what failed is mended in the same place.
            self._acted_on = later.digest
            self._act(changed, fresh)

    def _facts_of(self, prepared: Prepared) -> Facts:
        return Facts(prepared.config, prepared.settings, self._environ)

    def _refused(self, error: PasteboxError) -> None:
        """Nothing is done with a configuration that cannot be served, whatever the policy."""
        text = str(error)
        self._status.drift.set(f"changed, and cannot be served: {text}")
        if self._acted_on != text:
            self._acted_on = text
            hint = f", hint: {error.hint}" if error.hint else ""
            log.error("the configuration has changed and cannot be served: %s%s", text, hint)
            self._status.trouble(text)

    def _act(self, changed: list[str], fresh: Prepared) -> None:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        told = ", ".join(changed[:_SHOWN]) + more
        self._status.drift.set(f"changed since it was loaded: {told}")
        policy = fresh.settings.on_config_change
        if policy == "reload":
            log.info("the configuration has changed: %s", told)
            self._reload()
        elif policy == "exit":
            log.info("the configuration has changed, and the service ends: %s", told)
            self._end("configuration")
        elif policy == "warn":
            log.warning("the configuration has changed; HUP would load it: %s", told)
