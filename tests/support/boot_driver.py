"""A process that does first boot and nothing else: what the master forks, without the master.

``python boot_driver.py [INI] [name=value ...]``; settings come from the environment. It prints
the outcome and its seconds as JSON, and ends with the exit status of the error.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time

from pastebox.boot import kubernetes
from pastebox.boot.lease import LeaseLock
from pastebox.boot.postgresql import PostgresLock
from pastebox.boot.run import boot
from pastebox.config.locate import locate, parse_words
from pastebox.errors import PasteboxError
from pastebox.process.report import report
from pastebox.settings import resolve


def main(arguments: list[str]) -> int:
    be_in_a_pod()
    words = [word for word in arguments if "=" in word]
    names = [word for word in arguments if "=" not in word]
    try:
        settings = resolve({}, os.environ)
        located = locate(
            names[0] if names else None,
            settings,
            environ=os.environ,
            cwd=os.getcwd(),
            etc_dir=os.environ.get("ETC_DIR", "/nonexistent"),
        )
        began = time.monotonic()
        outcome = boot(located, settings, parse_words(words), os.environ, say)
        seconds = time.monotonic() - began
    except PasteboxError as error:
        report(error)
        return int(error.exit_code)
    print(json.dumps({**outcome._asdict(), "seconds": seconds}), flush=True)
    return 0


def be_in_a_pod() -> None:
    """Take the account of the fake API server, and ask for locks often."""
    if "POD_ACCOUNT_DIR" in os.environ:
        kubernetes.ACCOUNT_DIR = os.environ["POD_ACCOUNT_DIR"]
        LeaseLock.lasts_s = int(os.environ.get("LEASE_LASTS_S", LeaseLock.lasts_s))
        LeaseLock.retry_s = 0.1
    PostgresLock.retry_s = 0.1
    if "CLOCK_SKEW_S" in os.environ:
        let_the_clock_step(float(os.environ["CLOCK_SKEW_S"]))


def let_the_clock_step(skew_s: float) -> None:
    """Let the time of day be that wrong, and right again, by turns."""
    right = time.time
    wrongs = itertools.cycle((skew_s, 0.0))
    time.time = lambda: right() + next(wrongs)


def say(phase: str, detail: str) -> None:
    sys.stderr.write(f"{phase}: {detail}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
