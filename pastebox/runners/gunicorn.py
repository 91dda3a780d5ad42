"""gunicorn: its arbiter and its workers, on sockets that the master has bound."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import gunicorn  # noqa: F401  # the registry says what to install where it is missing

from pastebox.config.model import AppSource, Bind, ServerSpec
from pastebox.runners import gunicorn_options
from pastebox.runners.base import RunnerInfo
from pastebox.runners.context import WorkerContext
from pastebox.runners.gunicorn_arguments import with_arguments

_MEMORY_DIR = "/dev/shm"  # noqa: S108  # a directory for gunicorn's heartbeat files, which have no names


class GunicornRunner:
    """``use = egg:gunicorn#main``."""

    info = RunnerInfo(
        name="gunicorn",
        protocols=("http",),
        adopts_sockets=True,
        owns_signals=False,
        multiprocess=True,
        extra="gunicorn",
        workers_per_cpu=2.0,
        recycling=("max_requests", "max_requests_jitter"),
    )

    def with_environ(self, spec: ServerSpec, environ: Mapping[str, str]) -> ServerSpec:
        """Return the server with what ``GUNICORN_CMD_ARGS`` says.

        Raises:
            ConfigError: gunicorn does not know it.
        """
        return with_arguments(spec, environ, gunicorn_options.new_config())

    def binds(self, spec: ServerSpec) -> tuple[Bind, ...]:
        """Return the addresses that the options ask for.

        Raises:
            ConfigError: an option is unknown, or its value is not of its type.
        """
        config = gunicorn_options.check_options(spec)
        return gunicorn_options.binds(spec, config)

    def serve(
        self,
        source: AppSource,
        spec: ServerSpec,
        sockets: Sequence[socket.socket],
        context: WorkerContext,
    ) -> int:
        """Run the arbiter until drained; 0, or 124 when requests were cut off."""
        from pastebox.runners.gunicorn_arbiter import (  # noqa: PLC0415  # worker only
            Application,
            GuidedArbiter,
        )
        from pastebox.runners.loading import load  # noqa: PLC0415  # imports PasteDeploy

        for name in ("GUNICORN_PID", "GUNICORN_FD"):
            os.environ.pop(name, None)  # its arbiter would take them for its own
        context.orders.setblocking(False)
        config = _settings(spec, sockets, context)
        arbiter = GuidedArbiter(Application(config, lambda: load(source)), context)
        hook = config.pre_fork

        def pre_fork(server: Any, worker: Any) -> None:
            arbiter.pre_fork(worker)
            hook(server, worker)

        config.set("pre_fork", pre_fork)
        try:
            arbiter.run()
        except SystemExit as end:
            if os.getpid() == arbiter.pid:
                return end.code if isinstance(end.code, int) else 0
            raise  # a worker of gunicorn's, at its end
        return 0


def _settings(spec: ServerSpec, sockets: Sequence[socket.socket], context: WorkerContext) -> Any:
    """Return gunicorn's settings as they hold in this process, hooks and all.

    Raises:
        ConfigError: a hook cannot be imported.
    """
    from pastebox.runners.gunicorn_log import (  # noqa: PLC0415  # worker only
        OWN_LOG,
        count_requests,
        logger_class,
    )
    from pastebox.runners.gunicorn_worker import guided  # noqa: PLC0415  # worker only
    from pastebox.runners.loading import SESSIONS  # noqa: PLC0415  # imports PasteDeploy

    config = gunicorn_options.check_options(spec)
    _go_to(spec, config)
    for name, text in spec.options.items():
        if name not in (*gunicorn_options.OWN, "config") and gunicorn_options.is_hook(config, name):
            gunicorn_options.set_option(spec, config, name, text)
    config.set("bind", [f"fd://{os.dup(one.fileno())}" for one in sockets])
    for one in sockets:
        one.close()
    config.set("workers", context.workers)
    config.set("default_proc_name", spec.file)
    if not OWN_LOG & set(spec.options):
        config.set("logger_class", logger_class(context))
    if "control_socket" not in spec.options:
        config.set("control_socket_disable", True)
    if "worker_tmp_dir" not in spec.options and os.access(_MEMORY_DIR, os.W_OK):
        config.set("worker_tmp_dir", _MEMORY_DIR)
    if SESSIONS in os.environ:
        config.set("timeout", 0)  # a developer at a prompt is slower than any application
    config.set("worker_class", guided(config.worker_class))
    count_requests(config)
    ready = config.post_worker_init

    def post_worker_init(worker: Any) -> None:
        ready(worker)
        worker.say("ready")

    config.set("post_worker_init", post_worker_init)
    return config


def _go_to(spec: ServerSpec, config: Any) -> None:
    if "chdir" in spec.options:
        os.chdir(config.chdir)
        sys.path.insert(0, config.chdir)
    for path in (config.pythonpath or "").split(","):
        if path.strip():
            sys.path.insert(0, os.path.abspath(path.strip()))
