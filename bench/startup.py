"""Time to the first 200, and memory, of pastebox and of a five-line waitress script.

Both load the same INI through PasteDeploy. Rounds alternate which of the two comes first.
"""

from __future__ import annotations

import argparse

from bench.served import APPS, environment, free_port, pastebox, plain, served, show


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    ini = APPS / "hello.ini"
    times: dict[str, list[float]] = {"pastebox": [], "plain": []}
    memory: dict[str, list[float]] = {"pastebox": [], "plain": []}
    for number in range(rounds + 1):
        names = ["pastebox", "plain"] if number % 2 else ["plain", "pastebox"]
        for name in names:
            port, health = free_port(), str(free_port())
            command = pastebox(ini, port) if name == "pastebox" else plain(ini, port)
            with served(command, port, environment(PASTEBOX_HEALTH_PORT=health)) as server:
                seconds = server.wait_for_200()
                if number:  # the first round warms the caches
                    times[name].append(seconds * 1000)
                    memory[name].append(server.memory_mb())
    print(f"time to the first 200, {rounds} rounds, interleaved")
    show("plain waitress + loadapp", times["plain"], "ms")
    show("pastebox serve", times["pastebox"], "ms", than=times["plain"])
    print("proportional memory after the first request")
    show("plain waitress + loadapp", memory["plain"], "MB")
    show("pastebox serve", memory["pastebox"], "MB", than=memory["plain"])


if __name__ == "__main__":
    main()
