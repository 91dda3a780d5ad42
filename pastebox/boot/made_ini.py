"""An INI that make-config made, in starts that may share no volume: the same one for all of them.

A database keeps it beside the lock, and what it keeps is in force. A Lease keeps none: whoever
may read Leases would read its secrets. There it is made again, from the same seed.
"""

from __future__ import annotations

import os

from pastebox.boot import journal as journals
from pastebox.boot.execute import generate, make_state_directory
from pastebox.boot.lock import Held
from pastebox.boot.make_config import seed_of
from pastebox.boot.start import Start
from pastebox.boot.step import run_step
from pastebox.process.atomic import write_atomically

REPLACED = ".replaced"


def fetch(start: Start) -> None:
    """Put the INI in its place that another start has made; nothing where none has.

    Raises:
        PasteboxError: it cannot be had, made again or written.
    """
    if start.policy.setup == "never" and not start.policy.force:
        return
    here = _read(start.paths.generated_ini)
    if start.lock.keeps_ini == "lock":
        kept = start.lock.recall_ini(lambda text: start.report("waiting", text))
        if kept is not None and kept != here:
            _put(start, kept, is_another=here is not None)
    elif here is None and _is_set_up(start) and seed_of(start.environ) is not None:
        start.report("make-config", f"making {start.paths.generated_ini} again, from the seed")
        make_state_directory(start.paths.directory)
        run_step(
            "make-config",
            lambda: generate(start),
            limit_s=start.settings.setup_timeout,
            report=start.report,
        )


def hand_in(start: Start, held: Held) -> None:
    """Give the INI that is here to the lock, where it keeps one and has none."""
    if start.lock.keeps_ini != "lock":
        return
    here = _read(start.paths.generated_ini)
    if here is not None and start.lock.recall_ini(lambda _text: None) is None:
        held.remember_ini(here)


def _put(start: Start, kept: bytes, *, is_another: bool) -> None:
    path = start.paths.generated_ini
    make_state_directory(start.paths.directory)
    if is_another:
        os.replace(path, path + REPLACED)
        start.report(
            "make-config",
            f"warning: {path} was not the INI that all starts share; it is {path}{REPLACED} now",
        )
    write_atomically(path, kept)
    start.report("make-config", f"took {path} from where the lock keeps it for all starts")


def _is_set_up(start: Start) -> bool:
    content = start.journal()
    if content is None:
        return False
    try:
        return journals.parse(content).state == "done"
    except (journals.UnreadableJournalError, journals.NewerJournalError):
        return False  # which is told where the facts are gathered


def _read(path: str) -> bytes | None:
    """Return the INI; one that cannot be read is told by its reader."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None
