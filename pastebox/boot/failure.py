"""What an application's code raised in a step, as the error that pastebox ends with."""

from __future__ import annotations

from pastebox.errors import AppError, PasteboxError


def failure_of(step: str, error: BaseException) -> PasteboxError | None:
    """Return the error of a step, or ``None`` where it only said that it is finished.

    An error of ours stays what it is. For an exception of the application's the result is
    raised ``from`` it by the caller, so that its traceback is shown.
    """
    if isinstance(error, PasteboxError):
        return error
    if isinstance(error, SystemExit):
        if error.code is None or error.code == 0:
            return None
        return AppError(f"{step} raised SystemExit({error.code!r})")
    if is_bad_command(error):
        message = getattr(error, "message", "") or str(error)
        code = getattr(error, "exit_code", 2)
        return AppError(f"{step} failed: {message} (BadCommand, exit status {code})")
    text = str(error).strip().partition("\n")[0]
    return AppError(f"{step} raised {type(error).__name__}" + (f": {text}" if text else ""))


def is_bad_command(error: BaseException) -> bool:
    """Whether this is ``command.BadCommand``: ours, or that of an installed Paste Script."""
    return any(kind.__name__ == "BadCommand" for kind in type(error).__mro__)


def has_traceback(error: BaseException) -> bool:
    """Whether a person wants to see where it was raised."""
    return not isinstance(error, PasteboxError | SystemExit) and not is_bad_command(error)
