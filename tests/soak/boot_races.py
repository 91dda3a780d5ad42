"""Many starts at once: the setup runs once.

``python tests/soak/boot_races.py [ROUNDS] [STARTS] [postgresql]``: each round has a new volume, on
even rounds without an INI. With ``postgresql``, each start has a volume of its own, the lock is in
a database, and on even rounds the start that leads is killed in its setup. Prints a line per round
and ends with 1 at the first round that is wrong.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from boot_volume import Volume, finish
from postgres_server import PostgresServer


def race(volume: Volume, starts: int, **environ: str) -> list[str]:
    """Start ``starts`` first boots at once; return what went wrong."""
    processes = [volume.start(**environ) for _ in range(starts)]
    ended = [finish(process) for process in processes]
    wrong = [f"exit status {one.code}\n{one.log}" for one in ended if one.code != 0]
    did_it = [one for one in ended if one.outcome.get("steps")]
    if volume.runs() != 1 or len(did_it) != 1:
        wrong.append(f"setup ran {volume.runs()} times, {len(did_it)} starts report it")
    if volume.effect() != ["effect"] or volume.journal().state != "done":
        wrong.append(f"effect {volume.effect()}, journal {volume.journal().state}")
    inis = {one.outcome.get("spec", [None, None])[1] for one in ended}
    if len(inis) != 1:
        wrong.append(f"the starts serve different INIs: {inis}")
    volume.check_whole()
    return wrong


def race_without_a_volume(volume: Volume, starts: int, url: str, *, kills: bool) -> list[str]:
    """Start first boots that share a database; return what went wrong."""
    lock = {"PASTEBOX_LOCK": "postgresql", "PASTEBOX_LOCK_URL": url}
    lock["PASTEBOX_LOCK_NAME"] = os.path.basename(volume.root)
    killed = []
    if kills:
        fault = {"PASTEBOX_FAULTS": "after-setup", "PASTEBOX_ALLOW_FAULTS": "1"}
        killed = [volume.start(**lock, **fault)]
    processes = []
    for number in range(starts):
        own = os.path.join(volume.root, f"data{number}")
        os.mkdir(own)
        processes.append(volume.start(**lock, PASTEBOX_DATA_DIR=own))
    ended = [finish(process) for process in processes]
    wrong = [f"exit status {one.code}\n{one.log}" for one in ended if one.code != 0]
    deaths = sum(finish(process).code == -signal.SIGKILL for process in killed)
    did_it = [one for one in ended if one.outcome.get("steps")]
    if volume.runs() != 1 + deaths or len(did_it) != 1 or volume.effect() != ["effect"]:
        wrong.append(
            f"setup ran {volume.runs()} times, {len(did_it)} starts report it, {deaths} were"
            f" killed after it, effect {volume.effect()}"
        )
    return wrong


def main(arguments: list[str]) -> int:
    """Run the rounds; return the exit status."""
    words = [text for text in arguments if text != "postgresql"]
    rounds, starts = (int(text) for text in (words + ["20", "10"][len(words) :])[:2])
    server = PostgresServer() if words != arguments else None
    try:
        return _run(rounds, starts, server)
    finally:
        if server is not None:
            server.remove()


def _run(rounds: int, starts: int, server: PostgresServer | None) -> int:
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as root:
            volume = Volume(root)
            if number % 2 or server is not None:
                volume.write_ini()
            began = time.monotonic()
            if server is None:
                wrong = race(volume, starts)
                kind = "mounted INI" if number % 2 else "no INI"
            else:
                kills = number % 2 == 0
                wrong = race_without_a_volume(volume, starts, server.url, kills=kills)
                kind = "leader killed" if kills else "nobody killed"
            print(
                f"round={number + 1} starts={starts} {kind} seconds={time.monotonic() - began:.1f}"
            )
            if wrong:
                print("\n".join(wrong))
                return 1
    print(f"ok rounds={rounds} starts={starts} setups={rounds}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
