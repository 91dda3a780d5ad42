"""Change the pods of a small application under constant load; count what its clients lost.

``python tests/soak/cluster_rolls.py [--rounds 10] [--in-place 5] [--plain-rounds 3]`` on the
cluster of ``KUBECONFIG``, with ``PASTEBOX_TEST_CLUSTER_LOAD`` as ``make cluster`` sets it. A round
is two upgrades, a rollback, and two deletions of a pod, and every other one a change of the INI
that replaces the pods. Then come changes of it that the pods load in place. Beside it the same
application with plain servers in ordinary Deployments. A number of 0 leaves a part out. Ends with 1
if the chart lost anything.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable

sys.path.insert(0, os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "support")))

from cluster_images import build_app, build_images, build_pastebox
from cluster_rolls import PLAIN, ByChart, Deployed, Plain
from kube import Namespace, load_images
from service_load import ServiceLoad

AT_REST = 600
SERVERS = "localhost/pastebox-servers:cluster-test"


def change_all(app: Deployed, changes: list[Callable[[], None]], title: str) -> ServiceLoad:
    """Make the changes under load, print what each kind of them cost."""
    sums: dict[str, Counter[str]] = {}
    with app.load() as load:
        load.wait_for(AT_REST)
        rest = time.monotonic()
        quiet = load.p99(until=rest)
        for change in changes:
            began = len(load.sent)
            change()
            load.wait_for(100)
            some = list(load.sent)[began:]
            print(time.strftime("%X"), change.__name__, len(some), file=sys.stderr, flush=True)
            count = sums.setdefault(change.__name__, Counter())
            count["changes"] += 1
            count["sent"] += len(some)
            count["failed"] += sum(bool(one.failure) for one in some)
            count["truncated"] += sum(one.is_truncated for one in some)
    for name, count in sums.items():
        told = " ".join(f"{key}={number}" for key, number in count.items())
        print(f"{title}: {name} {told}")
    print(f"{title}: {load.account()} p99 at rest {quiet:.0f} ms, later {load.p99(rest):.0f} ms")
    for one in load.failures[:20]:
        print(f"  {one.kind} after {one.seconds:.2f} s: {one.failure}")
    sys.stdout.flush()
    return load


def main(argv: list[str]) -> int:
    """Run the chart and the plain servers; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--in-place", type=int, default=5)
    parser.add_argument("--plain-rounds", type=int, default=3)
    chosen = parser.parse_args(argv)
    images = build_images()
    namespaces: list[Namespace] = []

    def namespace() -> Namespace:
        namespaces.append(Namespace())
        return namespaces[-1]

    try:
        image = build_app(images.pastebox)
        lost = 0
        if chosen.rounds:
            app = ByChart(namespace(), image)
            changes = []
            for turn in range(chosen.rounds):
                changes += [app.upgrade, app.upgrade, app.roll_back]
                changes += [app.delete_a_pod, app.delete_a_pod]
                changes += [app.change_the_config] * (turn % 2)
            lost += len(change_all(app, changes, "pastebox").failures)
        if chosen.in_place:
            app = ByChart(namespace(), image, "reload")
            turns = [app.change_in_place] * chosen.in_place
            lost += len(change_all(app, turns, "pastebox, in place").failures)
        if chosen.plain_rounds:
            build_pastebox(SERVERS, "servers")
            image = build_app(SERVERS)
            load_images(image)
        for server in PLAIN if chosen.plain_rounds else ():
            plain = Plain(namespace(), image, server)
            turns = [plain.upgrade, plain.upgrade, plain.roll_back, plain.delete_a_pod]
            change_all(plain, turns * chosen.plain_rounds, server)
    finally:
        for one in namespaces:
            one.remove()
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
