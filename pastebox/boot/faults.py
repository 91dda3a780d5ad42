"""Named points at which a test makes first boot die, as SIGKILL or a power cut would.

They have an effect only with ``PASTEBOX_ALLOW_FAULTS=1``. In the order of a first start:

========================  ==========================================================
before-lock               the plan is made, the lock is not taken
after-lock                the lock is taken, nothing is written
before-journal-running    the first write of this start comes next
after-journal-running     the journal says ``running``
in-make-config            the INI is rendered, not written (dies with its step child)
after-make-config         the INI is written
before-setup              the journal says step ``setup-app``
in-setup                  websetup has run, its child has not ended (dies with it)
after-setup               the step child has ended well
before-journal-done       everything is done, the journal does not say so
after-journal-done        the journal says ``done``
before-unlock             the lock is about to be given back
========================  ==========================================================
"""

from __future__ import annotations

import os
import signal

from pastebox.errors import ConfigError
from pastebox.settings import Settings

POINTS = (
    "before-lock",
    "after-lock",
    "before-journal-running",
    "after-journal-running",
    "in-make-config",
    "after-make-config",
    "before-setup",
    "in-setup",
    "after-setup",
    "before-journal-done",
    "after-journal-done",
    "before-unlock",
)


class Faults:
    """The points that are armed; usually none."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self._names = frozenset(names)

    def reach(self, name: str, *, with_parent: bool = False) -> None:
        """Die here if ``name`` is armed; a step child takes its parent along."""
        if name not in self._names:
            return
        if with_parent:
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


def armed(settings: Settings) -> Faults:
    """Return the faults of the settings: none unless they are allowed.

    Raises:
        ConfigError: a name is not one of ``POINTS``.
    """
    if not settings.allow_faults or not settings.faults:
        return Faults()
    for name in settings.faults:
        if name not in POINTS:
            raise ConfigError(
                option="PASTEBOX_FAULTS",
                found=f'"{name}"',
                expected=f"one of {', '.join(POINTS)}",
            )
    return Faults(settings.faults)
