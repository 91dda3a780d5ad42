"""A hundred changes of a served INI under load, followed by a reload: no request fails.

Then the address changes again and again between two ports: a request that one of them has taken is
answered, and whoever is refused by the one is answered by the other.
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
from app_process import SERVER, AppProcess, Call, free_port, wait_until
from reloads import load


def load_either(app, ports, over, seen):
    """Ask whichever port is open, each time on a new connection; both closed is a failure."""
    port = 0
    while not over.is_set():
        for _ in ports:
            try:
                answer = app.get(port=ports[port])
                seen["answered" if answer.status == 200 else f"status {answer.status}"] += 1
                break
            except ConnectionRefusedError:
                port = 1 - port
            except OSError as error:
                seen[type(error).__name__] += 1
                break
        else:
            seen["refused by both"] += 1


def run(changes, clients, ports):
    """Change a word, and with two ports the address as well; return whether nothing failed."""
    server = SERVER.replace("port = 0", f"port = {ports[0]}")
    with tempfile.TemporaryDirectory() as directory:
        app = AppProcess(
            Path(directory),
            app="word = w0.",
            server=server,
            PASTEBOX_ON_CONFIG_CHANGE="reload",
            PASTEBOX_ACCESS_LOG="off",
        ).wait_listening()
        over, seen, times = threading.Event(), Counter(), []
        try:
            ports = ports if ports[0] else [app.port]
            one = (load_either, app, ports) if len(ports) > 1 else (load, app)
            calls = [Call(*one, over, seen) for _ in range(clients)]
            for number in range(1, changes + 1):
                here, there = ports[(number - 1) % len(ports)], ports[number % len(ports)]
                text = app.ini.read_text().replace(f"w{number - 1}.", f"w{number}.")
                new = app.ini.with_name("new.ini")
                new.write_text(text.replace(f"port = {here}", f"port = {there}"))
                began = time.perf_counter()
                new.rename(app.ini)
                wait_until(lambda n=number, p=there: is_there(app, p, n), "the new word")
                times.append(time.perf_counter() - began)
            over.set()
            for call in calls:
                call.result()
            code = app.stop()
        except AssertionError:
            print(*app.log().splitlines()[-40:], sep="\n", file=sys.stderr)
            raise
        finally:
            over.set()
            app.kill()
    print(f"changes={len(times)} ports={len(ports)} requests={dict(seen)} exit={code}")
    print(f"  from the change to its effect: median {median(times):.2f} worst {max(times):.2f} s")
    return code == 0 and set(seen) == {"answered"}


def is_there(app, port, number):
    """Whether the port answers with the word of that number."""
    try:
        return app.get(port=port).text == f"w{number}."
    except ConnectionRefusedError:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--clients", type=int, default=4)
    words = parser.parse_args()
    good = run(words.changes, words.clients, [0])
    good &= run(words.changes // 4, words.clients, [free_port(), free_port()])
    sys.exit(not good)


if __name__ == "__main__":
    main()
