"""An application while one works on it: the watcher is told of its modules, and of its failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from pastebox.config.model import AppSource, WSGIApp
from pastebox.errors import PasteboxError
from pastebox.runners.inject import inject
from pastebox.runners.loading import ANSWERS_ERRORS, LIVERELOAD, SHOWS_ERRORS, WATCHER
from pastebox.watch.bytecode import keep_no_fresh_bytecode
from pastebox.watch.page import page, panel, waiting
from pastebox.watch.reporter import Reporter


def load_followed(source: AppSource, load: Callable[[AppSource], WSGIApp]) -> WSGIApp:
    """Return the application, or one that says why there is none where nothing else would answer.

    Raises:
        PasteboxError: as ``load`` does.
        SystemExit: the application's own.
    """
    keep_no_fresh_bytecode()
    reporter = Reporter(os.environ.pop(WATCHER))
    answers = os.environ.pop(ANSWERS_ERRORS, "") != ""
    shows = os.environ.pop(SHOWS_ERRORS, "") != ""
    port = int(os.environ.pop(LIVERELOAD, "0"))
    try:
        app = load(source)
    except BaseException as error:
        text = _told(error)
        reporter.failed(error.__cause__ or error, text, wants_board=answers)
        if not answers or not isinstance(error, PasteboxError | SystemExit):
            raise
        _print(error)
        return FailedApp(text if shows else "", reporter, port)
    reporter.loaded()
    return Followed(app, reporter, port, shows=shows)


class Followed:
    """The application, its later imports told, and errors of newer code shown on its pages.

    Args:
        app: the application.
        reporter: the way to the watcher.
        port: where browsers wait for a change; 0 for nowhere.
        shows: whether errors are shown.
    """

    def __init__(self, app: WSGIApp, reporter: Reporter, port: int, *, shows: bool) -> None:
        self._app = app
        self._reporter = reporter
        self._port = port
        self._shows = shows
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        self._look_at_imports()
        try:
            return self._answer(environ, start_response)
        finally:
            self._look_at_imports()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        board = self._reporter.board
        text = board.read() if self._shows and board is not None else ""
        piece = panel(text) if text else b""
        piece += _script(self._reporter, self._port)
        if not piece:
            return self._app(environ, start_response)
        return inject(self._app, environ, start_response, piece, is_passing=bool(text))

    def _look_at_imports(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                self._reporter.more()
            finally:
                self._lock.release()


class FailedApp:
    """Answers in place of an application that has never loaded, with the latest reason."""

    def __init__(self, text: str, reporter: Reporter, port: int) -> None:
        self._text = text
        self._reporter = reporter
        self._port = port

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Say so."""
        if self._text:
            board = self._reporter.board
            text = (board.read() if board is not None else "") or self._text
            script = _script(self._reporter, self._port)
            body, kind = page(text, script), "text/html; charset=utf-8"
        else:
            body, kind = b"the application does not load; the log says why\n", "text/plain"
        headers = [
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response("503 Service Unavailable", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _script(reporter: Reporter, port: int) -> bytes:
    board = reporter.board
    return waiting(port, board.number) if port and board is not None else b""


def _told(error: BaseException) -> str:
    if not isinstance(error, PasteboxError):
        return f"the application ended the process while it was loaded: {error!r}"
    if error.__cause__ is None:
        return error.render()
    from pastebox.process.report import application_traceback  # noqa: PLC0415  # failures only

    return application_traceback(error.__cause__) + error.render()


def _print(error: BaseException) -> None:
    from pastebox.observe.logs import tell  # noqa: PLC0415  # failures only

    if isinstance(error, PasteboxError):
        tell(error)
