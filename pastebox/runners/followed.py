"""An application while one works on it: the watcher is told of its modules, and of its failures."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pastebox.config.model import AppSource, WSGIApp
from pastebox.errors import PasteboxError
from pastebox.runners.inject import inject
from pastebox.runners.loading import ANSWERS_ERRORS, LIVERELOAD, SHOWS_ERRORS, WATCHER
from pastebox.watch.bytecode import keep_no_fresh_bytecode
from pastebox.watch.page import page, panel, waiting
from pastebox.watch.reporter import Reporter

_OUTDATED = -1
"""No page of today has this number."""


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
    generation, port = map(int, os.environ.pop(LIVERELOAD, "0 0").split())
    script = Script(reporter, port, generation)
    try:
        app = load(source)
    except BaseException as error:
        text = _told(error)
        reporter.failed(error.__cause__ or error, text, wants_board=answers)
        if not answers or not isinstance(error, PasteboxError | SystemExit):
            raise
        _print(error)
        return FailedApp(text if shows else "", reporter, script)
    reporter.loaded()
    return Followed(app, reporter, script, shows=shows)


class Script(NamedTuple):
    """What a page is to have so that it is loaded again after a change.

    Attributes:
        reporter: has the board, with the number that a page of now has.
        port: where browsers wait for a change; 0 for nowhere.
        generation: whose pages these are.
    """

    reporter: Reporter
    port: int
    generation: int

    def piece(self, method: str) -> bytes:
        """Return the script, or nothing.

        What an old generation still answers after the next one has come, on a connection that it
        had, is outdated as it is made; but what was posted is not to be sent again for that.
        """
        board = self.reporter.board
        if not self.port or board is None:
            return b""
        is_outdated = self.generation < board.generation and method == "GET"
        return waiting(self.port, _OUTDATED if is_outdated else board.number)


class Followed:
    """The application, its later imports told, and errors of newer code shown on its pages.

    Args:
        app: the application.
        reporter: the way to the watcher.
        script: has browsers load a page again.
        shows: whether errors are shown.
    """

    def __init__(self, app: WSGIApp, reporter: Reporter, script: Script, *, shows: bool) -> None:
        self._app = app
        self._reporter = reporter
        self._script = script
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
        piece += self._script.piece(environ["REQUEST_METHOD"])
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

    def __init__(self, text: str, reporter: Reporter, script: Script) -> None:
        self._text = text
        self._reporter = reporter
        self._script = script

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Say so."""
        if self._text:
            board = self._reporter.board
            text = (board.read() if board is not None else "") or self._text
            script = self._script.piece(environ["REQUEST_METHOD"])
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
