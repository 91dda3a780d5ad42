"""Two hundred saves under load, half of which do not load: nobody is refused, no answer is lost.

Prints what became of the requests, and how long it took from a save to the new code's first answer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from app_process import APP, AppProcess, Call, wait_until  # as said


def load(app, over, seen):
    """Ask without a pause, each time on a new connection."""
    while not over.is_set():
        try:
            answer = app.get()
            seen["answered" if answer.status == 200 else f"status {answer.status}"] += 1
        except OSError as error:
            seen[type(error).__name__] += 1


def run(saves, mode, clients):
    with tempfile.TemporaryDirectory() as directory:
        app = AppProcess(
            Path(directory), PASTEBOX_RELOAD=mode, PASTEBOX_ACCESS_LOG="off"
        ).wait_listening()
        try:
            app.wait_log("watching files=")
            over, seen, times = threading.Event(), Counter(), []
            calls = [Call(load, app, over, seen) for _ in range(clients)]
            for number in range(saves // 2):
                app.module.write_text("def main(:\n")
                app.wait_log("failed to load, the one before goes on", count=number + 1)
                new = app.module.with_name("theapp.py~")
                new.write_text(APP.replace('"one"', f'"word {number}"'))
                began = time.perf_counter()
                new.rename(app.module)
                wait_until(lambda n=number: app.get().text == f"word {n}", "the new code")
                times.append(1000 * (time.perf_counter() - began))
            over.set()
            for call in calls:
                call.result()
            code = app.stop()
        finally:
            app.kill()
    print(f"{mode}: saves={2 * len(times)} requests={dict(seen)} exit={code}")
    print(
        f"  from the save to the new answer: median {median(times):.0f} worst {max(times):.0f} ms"
    )
    return code == 0 and set(seen) == {"answered"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--mode", default="events", choices=("events", "poll"))
    words = parser.parse_args()
    sys.exit(not run(words.saves, words.mode, words.clients))


if __name__ == "__main__":
    main()
