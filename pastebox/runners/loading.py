"""Load the application in a worker; what it raises is reported as the application's."""

from __future__ import annotations

import os

from pastebox.config.model import AppSource, WSGIApp
from pastebox.config.source import load_app
from pastebox.errors import AppError, PasteboxError

WATCHER = "_PASTEBOX_WATCHER"
"""Variable with the address of the watcher, while files are followed."""
ANSWERS_ERRORS = "_PASTEBOX_ANSWERS_ERRORS"
"""Variable that has a worker whose application does not load answer so, instead of ending."""
SHOWS_ERRORS = "_PASTEBOX_SHOWS_ERRORS"
"""Variable that has errors shown to browsers."""
LIVERELOAD = "_PASTEBOX_LIVERELOAD"
"""Variable with the port on which browsers wait to load their page again."""
SESSIONS = "_PASTEBOX_SESSIONS"
"""Variable with what a worker of a developer tells of its debugger, and where."""


def load(source: AppSource) -> WSGIApp:
    """Return the WSGI application behind ``source``.

    Raises:
        ConfigError: the INI asks for something that is not there.
        AppError: the application's own code raised; that exception is the cause.
    """
    if SESSIONS in os.environ:
        from pastebox.runners.debugged import load_debugged  # noqa: PLC0415  # development only

        return load_debugged(source, _load)
    return _load(source)


def _load(source: AppSource) -> WSGIApp:
    if WATCHER in os.environ:
        from pastebox.runners.followed import load_followed  # noqa: PLC0415  # development only

        return load_followed(source, load_reported)
    return load_reported(source)


def load_reported(source: AppSource) -> WSGIApp:
    """Do so without regard to who follows changes."""
    try:
        return load_app(source, os.environ)
    except PasteboxError:
        raise
    except Exception as error:
        raise AppError(
            f"the application failed to load: {type(error).__name__}: {error}",
            file=source.spec.path,
            section=f"app:{source.spec.name}",
            hint="the traceback above is the application's own",
        ) from error
