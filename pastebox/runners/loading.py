"""Load the application in a worker; what it raises is reported as the application's."""

from __future__ import annotations

import os

from pastebox.config.model import AppSource, WSGIApp
from pastebox.config.source import load_app
from pastebox.errors import AppError, PasteboxError


def load(source: AppSource) -> WSGIApp:
    """Return the WSGI application behind ``source``.

    Raises:
        ConfigError: the INI asks for something that is not there.
        AppError: the application's own code raised; that exception is the cause.
    """
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
