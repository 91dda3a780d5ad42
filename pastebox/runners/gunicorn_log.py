"""gunicorn's log as part of ours, its access log in our formats, its requests in our counters."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from gunicorn.config import PreRequest
from gunicorn.glogging import Logger

from pastebox.observe.access import AccessRecord
from pastebox.observe.logs import reopen
from pastebox.process.stacks import Running
from pastebox.runners.access_lines import AccessLines
from pastebox.runners.context import WorkerContext
from pastebox.runners.gunicorn_guided import Orders

OWN_LOG = frozenset(
    {"accesslog", "errorlog", "logconfig", "logconfig_dict", "logconfig_json", "logger_class"}
    | {"syslog", "statsd_host"}
)
"""Settings by which an INI asks for gunicorn's own log; then it is left as it is."""


def logger_class(context: WorkerContext) -> type:
    """Return the class of gunicorn's logger for one worker process of ours."""
    lines = AccessLines(context.access) if context.access is not None else None
    lock = threading.Lock()

    class Log(Logger):  # type: ignore[misc]  # gunicorn ships no types
        """Lines go to the root logger, access lines to the standard output."""

        def setup(self, cfg: Any) -> None:
            self.cfg = cfg
            self._access_log_enabled = lines is not None
            self.error_log.setLevel(self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO))
            self.error_log.propagate = True

        def access(self, resp: Any, _request: Any, environ: Any, request_time: Any) -> None:
            if lines is None:
                return
            seconds = request_time.total_seconds()
            lines.add(_record(self._get_user(environ), resp, environ, seconds))
            with lock:
                lines.write()

        def reopen_files(self) -> None:
            reopen()

    return Log


def _record(user: str | None, response: Any, environ: Any, seconds: float) -> AccessRecord:
    return AccessRecord(
        remote=environ.get("REMOTE_ADDR", "-"),
        user=user or "-",
        time=time.time() - seconds,
        method=environ.get("REQUEST_METHOD", "-"),
        target=environ.get("RAW_URI", "-"),
        protocol=environ.get("SERVER_PROTOCOL", "-"),
        status=status_of(response),
        size=getattr(response, "sent", 0) or 0,
        referer=environ.get("HTTP_REFERER", "-"),
        agent=environ.get("HTTP_USER_AGENT", "-"),
        seconds=seconds,
        request_id=environ.get("HTTP_X_REQUEST_ID", ""),
    )


def status_of(response: Any) -> int:
    """Return the status of a response; one that never began is an error of the application."""
    text = str(getattr(response, "status", None) or "500")[:3]
    return int(text) if text.isdecimal() else 500


def _until_lame(orders: Orders, should_close: Callable[[], bool]) -> Callable[[], bool]:
    """Have a request close its connection if the server is lame when its answer begins.

    gunicorn asks twice, for the answer's header and after its end, and shall hear the same.
    """
    said: list[bool] = []

    def ask() -> bool:
        if not said:
            said.append(should_close() or orders.lame)
        return said[0]

    return ask


def count_requests(config: Any) -> None:
    """Lay counting, and the close of connections while lame, around the hooks of a request."""
    before, after = config.pre_request, config.post_request
    # What gunicorn has there when nobody says anything: a line for each request, not shown.
    is_silent = before is PreRequest.default and config.loglevel.lower() != "debug"

    def pre_request(worker: Any, request: Any) -> None:
        request.began = time.monotonic()
        thread = threading.get_ident()
        worker.running[thread] = Running(thread, request.began, request.method, request.path)
        worker.slot.started()
        if hasattr(request, "force_close"):  # else it is of HTTP/2
            request.should_close = _until_lame(worker.orders, request.should_close)
        if not is_silent:
            before(worker, request)

    def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        seconds = time.monotonic() - request.began
        size = getattr(response, "sent", 0) or 0
        worker.running.pop(threading.get_ident(), None)
        worker.slot.finished(status_of(response), size, seconds)
        after(worker, request, environ, response)

    config.set("pre_request", pre_request)
    config.set("post_request", post_request)
