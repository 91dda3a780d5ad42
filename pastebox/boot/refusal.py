"""A refused plan as the error that the process ends with."""

from __future__ import annotations

from pastebox.boot.model import Plan
from pastebox.errors import ConfigError, ExitCode, PasteboxError, TemporaryError

_KINDS: dict[ExitCode, type[PasteboxError]] = {
    ExitCode.CONFIG: ConfigError,
    ExitCode.TEMPORARY: TemporaryError,
}


def refuse(plan: Plan) -> None:
    """Raise the refusal of a plan, if it is one.

    Raises:
        ConfigError: the state or the configuration has to be mended first.
        TemporaryError: it may be different later, or by another policy.
    """
    if plan.refusal is not None:
        refusal = plan.refusal
        raise _KINDS[refusal.exit_code](refusal.sentence, hint=refusal.hint or None)
