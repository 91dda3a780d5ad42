"""Install the wiki cold with many replicas, again and again; count its setups.

``python tests/soak/cluster_installs.py [--installs 20] [--replicas 10]`` on the cluster of
``KUBECONFIG``, with ``PASTEBOX_TEST_CLUSTER_LOAD`` as ``make cluster`` sets it. For both locks that
reach across pods; in every other installation the leader is killed in the middle of its setup.
Ends with 1 if one of them did not become ready, or was not set up exactly once.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

sys.path.insert(0, os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "support")))

from cluster_database import start_database
from cluster_images import build_images, example_values
from cluster_installs import SLOW_SETUP, Install, empty, install_cold, median
from helms import Helm3
from kube import Namespace


def main(argv: list[str]) -> int:
    """Install with each lock by turns, so that both meet the same machine; return the status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--installs", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--lock", action="append", choices=("lease", "postgresql"))
    chosen = parser.parse_args(argv)
    images = build_images()
    places: dict[str, Namespace] = {}
    came: dict[tuple[str, bool], list[Install]] = {}
    wrong = 0
    try:
        for lock in chosen.lock or ("lease", "postgresql"):
            places[lock] = Namespace()
            start_database(places[lock], images.database)
            # Kubernetes gives time by requests; without one the database would get the least.
            request = ("set", "resources", "deployment/db", "--requests=cpu=50m")
            places[lock].run(*request)
            places[lock].rolled_out("deployment/db")
        for turn in range(chosen.installs):
            kills = bool(turn % 2)
            for lock, namespace in places.items():
                values = example_values(
                    "postgresql",
                    images.wiki,
                    setup={"lock": lock},
                    config={"overlays": {"slow.ini": SLOW_SETUP}},
                    # All of them fit into a small node, beside those that are ending.
                    resources={"requests": {"cpu": "10m"}},
                )
                empty(namespace)
                one = tried(namespace, values, chosen.replicas, kills=kills)
                if one is not None:
                    came.setdefault((lock, kills), []).append(one)
                wrong += one is None or not one.is_right
                print(time.strftime("%X"), turn + 1, lock, one, file=sys.stderr, flush=True)
    finally:
        for namespace in places.values():
            namespace.remove()
        for (lock, kills), some in sorted(came.items()):
            print(summary(lock, some, chosen.replicas, kills=kills))
    return 1 if wrong else 0


def tried(
    namespace: Namespace, values: Mapping[str, Any], replicas: int, *, kills: bool
) -> Install | None:
    """Install, and begin to take it away; print what the cluster knows where a setup went astray.

    Nothing is returned where the pods did not become ready.
    """
    one = None
    try:
        one = install_cold(namespace, values, replicas, kills=kills)
    except AssertionError as error:
        print(error, file=sys.stderr)
    if one is None or not one.is_right or one.begun > 1 + kills:
        print(namespace.diagnosis(), file=sys.stderr)
    Helm3(namespace.name).uninstall("wiki")
    return one


def summary(lock: str, came: list[Install], replicas: int, *, kills: bool) -> str:
    """Return a line of what came of installations of a kind."""
    waited = [seconds for one in came for seconds in one.waited]
    return (
        f"{lock}: leader {'killed' if kills else 'left alone'}:"
        f" installs={len(came)} replicas={replicas} right={sum(one.is_right for one in came)}"
        f" begun={sum(one.begun for one in came)} finished={sum(one.finished for one in came)}"
        f" restarts={sum(one.restarts for one in came)}"
        f" ready after: median {median(waited):.0f} s, worst {max(waited):.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
