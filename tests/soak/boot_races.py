"""Many starts at once on one volume: the setup runs once.

``python tests/soak/boot_races.py [ROUNDS] [STARTS]``: each round has a new volume, on even
rounds without an INI. Prints a line per round and ends with 1 at the first round that is wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from boot_volume import Volume, finish


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


def main(arguments: list[str]) -> int:
    """Run the rounds; return the exit status."""
    rounds, starts = (int(text) for text in (arguments + ["20", "10"][len(arguments) :])[:2])
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as root:
            volume = Volume(root)
            if number % 2:
                volume.write_ini()
            began = time.monotonic()
            wrong = race(volume, starts)
            kind = "mounted INI" if number % 2 else "no INI"
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
