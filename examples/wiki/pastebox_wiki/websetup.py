"""Prepare the database for the wiki: create its tables and load the first pages."""

import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from .database import exclusive_session, make_engine
from .markup import Markup
from .models import Base, SetupRun
from .samples import load_pages
from .settings import setup_delay

_SLICE_S = 0.1


def setup_app(command: object, conf: Any, vars: Mapping[str, str]) -> None:  # noqa: A002
    """Set up the wiki that an application section describes; safe to run again, also at once.

    Pages that exist are left alone. Every run leaves a row in `setup_run`; one that was cut off
    before it had loaded the pages has no `finished_at`.

    Args:
        command: the command that runs the setup; not used.
        conf: the section's configuration, whose `local_conf` holds the settings.
        vars: variables of the installation; not used.

    Raises:
        ValueError: a setting is missing or cannot be used; the message names it.
    """
    settings = conf.local_conf
    delay_s = setup_delay(settings)
    engine = make_engine(settings)
    try:
        _set_up(engine, delay_s)
    finally:
        engine.dispose()


def wait(
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait in short slices, so that signals are answered, and print a line for every second."""
    start = clock()
    announced = 0
    while (elapsed := clock() - start) < seconds:
        if elapsed >= announced:
            _say(f"waiting elapsed_s={announced} total_s={seconds:g}")
            announced += 1
        sleep(min(_SLICE_S, seconds - elapsed))


def _set_up(engine: Engine, delay_s: float) -> None:
    """Create the tables, wait if asked to, load the pages."""
    with exclusive_session(engine) as db:
        Base.metadata.create_all(db.connection())
        run = SetupRun(host=socket.gethostname(), pid=os.getpid(), started_at=datetime.now(UTC))
        db.add(run)
        db.flush()
        run_id = run.id
    _say(f"tables are there database={engine.dialect.name} run={run_id}")
    wait(delay_s)
    with exclusive_session(engine) as db:
        added = load_pages(db, Markup())
        finished = db.get_one(SetupRun, run_id)
        finished.pages_added = len(added)
        finished.finished_at = datetime.now(UTC)
    _say(f"pages loaded added={len(added)}")


def _say(text: str) -> None:
    """Print a line of progress at once, also when the output is a pipe."""
    print(f"pastebox-wiki setup: {text}", flush=True)
