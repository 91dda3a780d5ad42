"""A hundred changes of a served INI under load, followed by a reload: no request fails."""

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
from app_process import AppProcess, Call, wait_until
from reloads import load


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        app = AppProcess(
            Path(directory),
            app="word = w0.",
            PASTEBOX_ON_CONFIG_CHANGE="reload",
            PASTEBOX_ACCESS_LOG="off",
        ).wait_listening()
        try:
            over, seen, times = threading.Event(), Counter(), []
            calls = [Call(load, app, over, seen) for _ in range(words.clients)]
            for number in range(1, words.changes + 1):
                new = app.ini.with_name("new.ini")
                new.write_text(app.ini.read_text().replace(f"w{number - 1}.", f"w{number}."))
                began = time.perf_counter()
                new.rename(app.ini)
                wait_until(lambda n=number: app.get().text == f"w{n}.", "the new word")
                times.append(time.perf_counter() - began)
            over.set()
            for call in calls:
                call.result()
            code = app.stop()
        finally:
            app.kill()
    print(f"changes={len(times)} requests={dict(seen)} exit={code}")
    print(f"  from the change to its effect: median {median(times):.2f} worst {max(times):.2f} s")
    sys.exit(code != 0 or set(seen) != {"answered"})


if __name__ == "__main__":
    main()
