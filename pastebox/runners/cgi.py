"""``egg:PasteScript#cgi``: one request, from the environment of the process and its stdin.

A web server starts ``pastebox serve`` for each request, so there is no master, no worker, no
address and no health port: the process answers and ends. First boot is not its business either;
run ``pastebox setup`` before.
"""

from __future__ import annotations

import io
import logging
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO
from wsgiref.handlers import BaseCGIHandler, read_environ

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.errors import ConfigError, ExitCode
from pastebox.runners import options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.body import KnownLength
from pastebox.runners.context import WorkerContext

log = logging.getLogger("pastebox.worker")

_BODILESS = ("204", "304")
_TWICE = ("HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE")
"""lighttpd names them in this way too, which WSGI forbids."""
# Its type hides most of what a subclass may touch.
_Base: Any = BaseCGIHandler


class CgiRunner:
    """``use = egg:PasteScript#cgi``."""

    info = RunnerInfo(
        name="cgi",
        protocols=("cgi",),
        adopts_sockets=False,
        owns_signals=False,
        multiprocess=False,
        extra=None,
        recycling=(),
    )

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return no address, for it has none.

        Raises:
            ConfigError: there is an option; it has none either.
        """
        options.check(spec, {})
        return ()

    def serve(
        self,
        source: AppSource,  # noqa: ARG002  # the contract's
        spec: ServerSpec,
        sockets: Sequence[socket.socket],  # noqa: ARG002  # likewise
        context: WorkerContext,  # noqa: ARG002  # likewise
    ) -> int:
        """Refuse: it is :func:`answer` that serves, without a master.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("cgi has nothing to serve again", file=spec.file, section=spec.section)


class Handler(_Base):  # type: ignore[misc]  # as said above
    """The request's way to the application and back."""

    os_environ: dict[str, str] = {}  # noqa: RUF012  # never changed: base_env has it all
    wsgi_run_once = True
    has_failed = False

    def cleanup_headers(self) -> None:
        """Complete the header; an answer without a body has no length either."""
        super().cleanup_headers()
        if self.status.startswith(_BODILESS):
            del self.headers["Content-Length"]

    def write(self, data: bytes) -> None:
        """Send a part of the body; an answer to HEAD has none, whatever the application gives."""
        if self.environ.get("REQUEST_METHOD") != "HEAD":
            super().write(data)
        elif not self.headers_sent:
            self.bytes_sent = len(data)
            self.send_headers()

    def log_exception(self, exc_info: Any) -> None:
        """Log what the application raised, to stderr."""
        self.has_failed = True
        log.error("exception while serving", exc_info=exc_info)


def answer(source: AppSource, spec: ServerSpec, environ: Mapping[str, str]) -> int:
    """Answer the one request; 70 when the application raised.

    What anybody prints goes to stderr, where the web server has its log: stdout is the answer.

    Raises:
        ConfigError: this is not a CGI request.
        AppError: the application does not load.
    """
    if "REQUEST_METHOD" not in environ:
        raise ConfigError(
            "cgi answers a web server that starts it, and REQUEST_METHOD is not set",
            file=spec.file,
            section=spec.section,
            option="use",
            hint="PASTEBOX_SERVER=waitress serves by itself",
        )
    from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy

    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        app = load(source)
        variables = read_environ()
        for name in _TWICE:
            variables.pop(name, None)
        handler = Handler(
            _input(environ, sys.stdin.buffer),
            out,
            sys.stderr,
            variables,
            multithread=False,
            multiprocess=True,
        )
        handler.run(app)
    return ExitCode.APP_FAILED if handler.has_failed else ExitCode.OK


def _input(environ: Mapping[str, str], stdin: BinaryIO) -> Any:
    """Return the body: as long as the web server says, or to the end of stdin after chunks."""
    length = environ.get("CONTENT_LENGTH", "").strip()
    if not length and environ.get("HTTP_TRANSFER_ENCODING", "").strip().lower() == "chunked":
        return stdin
    return io.BufferedReader(KnownLength(stdin, int(length) if length.isdecimal() else 0))
