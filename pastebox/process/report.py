"""Show an error once, where it happened: the application's traceback without our frames."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType
from typing import TextIO

from pastebox.errors import PasteboxError

_IMPORTLIB = os.path.join("", "importlib", "__init__.py")
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def report(error: PasteboxError, stream: TextIO | None = None) -> None:
    """Write the traceback of what the application raised, if it did, and the error itself."""
    out = stream or sys.stderr
    if error.__cause__ is not None and error.exit_code == 70:  # noqa: PLR2004  # ExitCode.APP_FAILED
        out.write(application_traceback(error.__cause__))
    out.write(error.render() + "\n")
    out.flush()


def application_traceback(error: BaseException) -> str:
    """Format an exception as Python does, from the first frame that is not ours.

    Frames of PasteDeploy before the application's first are cut off as well. When no frame is
    the application's, the defect is ours, and all of them are shown.
    """
    trace = error.__traceback__
    while trace is not None and _is_machinery(trace):
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError | ImportError):
        trace = error.__traceback__
    return "".join(traceback.format_exception(type(error), error.with_traceback(trace), trace))


def _is_machinery(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return (
        name.startswith((_OURS, "<frozen importlib"))
        or name.endswith(_IMPORTLIB)
        or f"{os.sep}paste{os.sep}deploy{os.sep}" in name
    )
