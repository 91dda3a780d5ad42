"""Who looks at files while the master serves: the development loop, or the watch on the INI."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pastebox.master.fleet import Fleet
from pastebox.master.prepare import Prepared
from pastebox.master.reload import Reload
from pastebox.master.request import ServeRequest
from pastebox.observe.status import Status
from pastebox.process.loop import Loop, Timer

if TYPE_CHECKING:
    from pastebox.master.debugging import Debugging
    from pastebox.master.development import Development
    from pastebox.master.drift import Drift

_FIRST_LOOK_S = 1.0
"""What looks at the INI is imported after this, when a start is over."""


class Changes:
    """Begins what the settings ask for, and tells it what becomes of the workers.

    Args:
        loop: the master's.
        fleet: the generations.
        status: for the pages.
        request: what is served.
        reload: loads a new generation.
        in_child: gives up, in a child, what is the master's alone.
        end: drains and ends the service.
    """

    def __init__(
        self,
        loop: Loop,
        fleet: Fleet,
        status: Status,
        request: ServeRequest,
        reload: Reload,
        *,
        in_child: Callable[[], None],
        end: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._fleet = fleet
        self._status = status
        self._request = request
        self._reload = reload
        self._in_child = in_child
        self._end = end
        self._present: Prepared | None = None
        self._debugging: Debugging | None = None
        self._development: Development | None = None
        self._drift: Drift | None = None
        self._later: Timer | None = None

    def begin(self, prepared: Prepared) -> None:
        """Follow changes of code, if that is wanted, before the first worker loads it.

        Raises:
            PasteboxError: a pattern of what to watch is too wide, a port cannot be had.
        """
        self._present = prepared
        if prepared.settings.dev:
            from pastebox.master.debugging import Debugging  # noqa: PLC0415  # where it is wanted

            self._debugging = Debugging(
                self._loop, self._fleet, prepared.settings, self._request.environ
            )
        if prepared.settings.reload == "off":
            return
        from pastebox.master.development import Development  # noqa: PLC0415  # where it is wanted

        self._development = Development(
            self._loop,
            self._fleet,
            self._status,
            request=self._request,
            prepared=prepared,
            in_child=self._in_child,
            reload=lambda: self._reload.ask(self._present, at_once=True),
            is_busy=self._debugging.is_busy if self._debugging is not None else None,
        )

    def served(self, prepared: Prepared) -> None:
        """A generation serves."""
        self._present = prepared
        if self._debugging is not None:
            self._debugging.served()
        if self._development is not None:
            self._development.served(prepared)
        if self._drift is not None:
            self._drift.serves(prepared)
        elif self._later is None and _looks_at_ini(prepared):
            self._later = self._loop.call_later(_FIRST_LOOK_S, self._begin_drift)

    def failed(self) -> None:
        """A generation does not come."""
        if self._development is not None:
            self._development.failed()

    def stopping(self) -> None:
        """The service ends."""
        if self._later is not None:
            self._later.cancel()
        if self._drift is not None:
            self._drift.stop()
        if self._development is not None:
            self._development.stopping()

    def child_ended(self, pid: int) -> None:
        """A child that is no worker has ended."""
        if self._development is not None:
            self._development.child_ended(pid)

    def close_in_child(self) -> None:
        """Give descriptors back in a forked child."""
        if self._debugging is not None:
            self._debugging.close_in_child()
        if self._development is not None:
            self._development.close_in_child()

    def close(self) -> None:
        """End what was begun."""
        if self._debugging is not None:
            self._debugging.close()
        if self._development is not None:
            self._development.close()

    def _begin_drift(self) -> None:
        from pastebox.master.drift import Drift  # noqa: PLC0415  # after the start

        assert self._present is not None  # noqa: S101  # it serves
        self._drift = Drift(
            self._loop,
            self._status,
            self._present,
            self._request.environ,
            prepare=self._reload.prepare,
            stays=self._reload.what_stays,
            reload=lambda: self._reload.ask(self._present),
            end=self._end,
        )


def _looks_at_ini(prepared: Prepared) -> bool:
    """Whether the INI is looked at for its own sake: the development loop follows it as well."""
    settings = prepared.settings
    follows = settings.reload != "off" and settings.given("on_config_change") is None
    return settings.on_config_change != "ignore" and not follows
