"""First boot as the master runs it: in one child, so that the health port answers meanwhile."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pastebox.config.locate import Located
from pastebox.config.model import ConfigSpec
from pastebox.errors import PasteboxError
from pastebox.master.request import ServeRequest
from pastebox.process.child import start_child
from pastebox.process.notify import Notifier
from pastebox.process.report import report
from pastebox.settings import Settings

if TYPE_CHECKING:
    from pastebox.boot.run import BootOutcome

log = logging.getLogger("pastebox.master")

PHASE = "X_PASTEBOX_PHASE"
"""Field of a notification: the phase that first boot has come to."""


class BootChild(NamedTuple):
    """The running child, and the pipe on which its outcome arrives before it ends."""

    pid: int
    outcome: int


def start_boot(
    request: ServeRequest,
    located: Located,
    settings: Settings,
    notify_address: str,
    in_child: Callable[[], None],
) -> BootChild:
    """Fork the child that plans and executes first boot."""
    from pastebox.boot.run import boot  # noqa: PLC0415  # most starts have nothing to boot

    readable, writable = os.pipe()

    def target() -> int:
        in_child()
        os.close(readable)
        notifier = Notifier(notify_address)

        def tell(phase: str, detail: str) -> None:
            # Logged here, not by the master, so that the line is above what its step prints.
            log.info("first boot: %s", detail if phase == "boot" else f"{phase} {detail}")
            notifier.send(**{PHASE: phase, "STATUS": detail})

        try:
            outcome = boot(
                located, settings, request.words, request.environ, tell, sets=request.sets
            )
        except PasteboxError as error:
            report(error)
            return error.exit_code
        with os.fdopen(writable, "wb") as pipe:
            pipe.write(_encode(outcome))
        return 0

    pid = start_child(target)
    os.close(writable)
    return BootChild(pid, readable)


def read_outcome(child: BootChild) -> "BootOutcome | None":
    """Return what a child that has ended left in the pipe; ``None`` when it left nothing."""
    with os.fdopen(child.outcome, "rb") as pipe:
        data = pipe.read()
    return _decode(data) if data else None


def _encode(outcome: "BootOutcome") -> bytes:
    import json  # noqa: PLC0415  # only a boot that had something to do comes here

    fields = outcome._asdict()
    fields["spec"] = list(outcome.spec)
    return json.dumps(fields).encode()


def _decode(data: bytes) -> "BootOutcome":
    import json  # noqa: PLC0415  # as above

    from pastebox.boot.run import BootOutcome  # noqa: PLC0415  # as above

    fields = json.loads(data)
    return BootOutcome(
        spec=ConfigSpec(*fields["spec"]),
        environ=fields["environ"],
        steps=tuple(fields["steps"]),
        ready=fields["ready"],
    )
