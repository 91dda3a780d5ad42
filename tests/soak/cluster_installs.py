"""Install the wiki cold with many replicas, again and again; count its setups.

``python tests/soak/cluster_installs.py [--installs 20] [--replicas 10]`` on the cluster of
``KUBECONFIG``, with ``PASTEBOX_TEST_CLUSTER_LOAD`` as ``make cluster`` sets it. For both locks that
reach across pods; in every other installation the leader is killed in the middle of its setup.
Ends with 1 if the wiki was not set up exactly once.
"""

from __future__ import annotations

import argparse
import os
import sys

sys.path.insert(0, os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "support")))

from cluster_database import start_database
from cluster_images import build_images, example_values
from cluster_installs import SLOW_SETUP, install_cold, median
from kube import Namespace


def main(argv: list[str]) -> int:
    """Install with each lock; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--installs", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--lock", action="append", choices=("lease", "postgresql"))
    chosen = parser.parse_args(argv)
    images = build_images()
    wrong = 0
    for lock in chosen.lock or ("lease", "postgresql"):
        namespace = Namespace()
        try:
            start_database(namespace, images.database)
            overlays = {"overlays": {"slow.ini": SLOW_SETUP}}
            values = example_values(
                "postgresql", images.wiki, setup={"lock": lock}, config=overlays
            )
            for kills in (False, True):
                came = [
                    install_cold(namespace, values, chosen.replicas, kills=kills)
                    for _ in range((chosen.installs + (not kills)) // 2)
                ]
                waited = [seconds for one in came for seconds in one.waited]
                wrong += sum(not one.is_right for one in came)
                print(
                    f"{lock}: leader {'killed' if kills else 'left alone'}:"
                    f" installs={len(came)} replicas={chosen.replicas}"
                    f" finished={sum(one.finished for one in came)}"
                    f" begun={sum(one.begun for one in came)}"
                    f" ready after: median {median(waited):.0f} s, worst {max(waited):.0f} s",
                    flush=True,
                )
                for one in came:
                    if not one.is_right:
                        print(f"  {one}")
        finally:
            namespace.remove()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
