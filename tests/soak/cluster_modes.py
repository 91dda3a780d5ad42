"""Set up, install and upgrade the wiki in every way; print what comes of it as a table.

``python tests/soak/cluster_modes.py [--mode leader] [--flags=--wait] [--event upgrade]`` on the
cluster of ``KUBECONFIG``, with ``PASTEBOX_TEST_CLUSTER_LOAD`` as ``make cluster`` sets it. An
installation comes before every event.
"""

from __future__ import annotations

import argparse
import os
import sys

sys.path.insert(0, os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "support")))

from cluster_database import start_database
from cluster_images import build_images, example_values
from cluster_modes import EVENTS, FLAGS, MODES, Row, markdown, outcomes
from kube import Namespace


def main(argv: list[str]) -> int:
    """Try each combination in a namespace of its own; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", action="append", choices=tuple(MODES))
    parser.add_argument("--flags", action="append", choices=tuple(FLAGS))
    parser.add_argument("--event", action="append", choices=EVENTS)
    chosen = parser.parse_args(argv)
    images = build_images()
    values = example_values("postgresql", images.wiki)
    events = chosen.event or EVENTS
    rows: list[Row] = []
    for mode in chosen.mode or MODES:
        for flags in chosen.flags or FLAGS:
            namespace = Namespace()
            try:
                start_database(namespace, images.database)
                for row in outcomes(namespace, values, mode, flags, events):
                    rows.append(row)
                    print(*row, sep="\t", file=sys.stderr, flush=True)
            finally:
                namespace.remove()
    print(markdown(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
