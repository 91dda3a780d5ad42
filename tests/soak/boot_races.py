"""Many starts at once: the setup is done once, also when its leader is killed in the middle of it.

``python tests/soak/boot_races.py [ROUNDS] [STARTS] [file] [postgresql] [lease]``: each round has a
new application. In every second one the start that leads is killed with its step (SIGKILL) while
the setup is at work. With ``file`` all starts share a volume, and every fourth round has no INI;
with the others each start has a volume of its own. ``lease`` is against the API server of the
tests. Prints a line per round and the figures of each
lock, and ends with 1 at the first round that is wrong.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from app_process import wait_until
from boot_volume import Ended, Volume, finish
from fake_kubernetes import FakeKubernetes
from postgres_server import PostgresServer

LOCKS = ("file", "postgresql", "lease")


class Round(NamedTuple):
    """What went wrong in a round, and how long each start that was not killed took to be ready."""

    wrong: list[str]
    seconds: list[float]


def race(
    volume: Volume, starts: int, *, kills: bool = False, shares: bool = True, **environ: str
) -> Round:
    """Let ``starts`` first boots begin at once, on one volume or on one each."""
    processes = {}
    for number in range(starts):
        own = {}
        if not shares:
            own["PASTEBOX_DATA_DIR"] = os.path.join(volume.root, f"data{number}")
            os.mkdir(own["PASTEBOX_DATA_DIR"])
        process = volume.start(**environ, **own)
        processes[process.pid] = process
    killed = _kill_the_leader(volume) if kills else 0
    ended = {pid: finish(process) for pid, process in processes.items()}
    if kills and ended.pop(killed).code != -signal.SIGKILL:
        return Round(["the leader was not killed"], [])
    wrong = _wrong(volume, list(ended.values()), 2 if kills else 1, shares=shares)
    return Round(wrong, [one.outcome["seconds"] for one in ended.values() if one.code == 0])


def _kill_the_leader(volume: Volume) -> int:
    """Kill the start whose setup is at work, and the step; return the start's pid."""
    mark = Path(volume.data, "leading")
    wait_until(lambda: mark.exists() and mark.read_text().endswith("\n"), "a setup to be at work")
    start, step = (int(word) for word in mark.read_text().split())
    os.kill(start, signal.SIGKILL)
    os.kill(step, signal.SIGKILL)
    return start


def _wrong(volume: Volume, ended: list[Ended], runs: int, *, shares: bool) -> list[str]:
    wrong = [f"exit status {one.code}\n{one.log}" for one in ended if one.code != 0]
    did_it = [one for one in ended if one.outcome.get("steps")]
    if volume.runs() != runs or len(did_it) != 1 or volume.effect() != ["effect"]:
        wrong.append(
            f"setup ran {volume.runs()} times, expected {runs}; {len(did_it)} starts report it;"
            f" effect {volume.effect()}"
        )
    tokens = [int(token) for token in volume.tokens()]
    if tokens != sorted(set(tokens)):
        wrong.append(f"fencing tokens do not grow: {tokens}")
    if shares:
        if volume.journal().state != "done":
            wrong.append(f"journal {volume.journal().state}")
        inis = {one.outcome.get("spec", [None, None])[1] for one in ended}
        if len(inis) != 1:
            wrong.append(f"the starts serve different INIs: {inis}")
        volume.check_whole()
    return wrong


@contextlib.contextmanager
def server_of(lock: str) -> Iterator[Callable[[str], dict[str, str]]]:
    """Start what a lock needs; yield what makes the environment of the starts of a round."""
    if lock == "postgresql":
        database = PostgresServer()
        try:
            yield lambda name: {
                "PASTEBOX_LOCK": lock,
                "PASTEBOX_LOCK_URL": database.url,
                "PASTEBOX_LOCK_NAME": name,
            }
        finally:
            database.remove()
    elif lock == "lease":
        with tempfile.TemporaryDirectory() as account:
            server = FakeKubernetes(Path(account))

            def with_a_new_lease(_name: str) -> dict[str, str]:
                server.control(lease=None)
                return {"PASTEBOX_LOCK": lock, "POD_ACCOUNT_DIR": account, **server.environ}

            try:
                yield with_a_new_lease
            finally:
                server.stop()
    else:
        yield lambda _name: {"PASTEBOX_LOCK": lock}


def soak(lock: str, rounds: int, starts: int) -> bool:
    """Run the rounds of a lock and print its figures; false at the first one that is wrong."""
    figures: dict[bool, list[float]] = {True: [], False: []}
    with server_of(lock) as environ_of:
        for number in range(rounds):
            kills = number % 2 == 0
            has_ini = kills or lock != "file" or number % 4 == 1
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as root:
                volume = Volume(root)
                if has_ini:
                    volume.write_ini("first-hangs" if kills else "well")
                environ = environ_of(f"round-{number}")
                done = race(volume, starts, kills=kills, shares=lock == "file", **environ)
            kind = "leader killed" if kills else "nobody killed"
            kind += "" if has_ini else ", no INI"
            took = time.monotonic() - began
            print(f"lock={lock} round={number + 1} {kind} seconds={took:.1f}", flush=True)
            if done.wrong:
                print("\n".join(done.wrong))
                return False
            figures[kills] += done.seconds
    for kills, seconds in figures.items():
        if seconds:
            print(
                f"lock={lock} {'leader killed' if kills else 'nobody killed'} boots={len(seconds)}"
                f" ready after: median={statistics.median(seconds):.2f}s worst={max(seconds):.2f}s"
            )
    print(f"ok lock={lock} rounds={rounds} starts={starts} setups done={rounds}", flush=True)
    return True


def main(arguments: list[str]) -> int:
    """Run the rounds of each lock; return the exit status."""
    locks = [word for word in arguments if word in LOCKS] or ["file", "postgresql"]
    numbers = [int(word) for word in arguments if word not in LOCKS]
    rounds, starts = (numbers + [100, 10][len(numbers) :])[:2]
    return 0 if all(soak(lock, rounds, starts) for lock in locks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
