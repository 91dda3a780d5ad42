"""Pods whose clocks are an hour off, before and after the others."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from app_process import wait_until
from cluster_database import HeldSetups, ask
from cluster_images import image_values
from cluster_installs import BEGINS, kill_in, pod_that_says
from cluster_pods import start_beside
from helms import Helm3
from kube import PATIENCE_S, Namespace

HOUR_S = 3600
RELEASE = "wiki-pastebox"
SKEWED = {"LD_PRELOAD": "/usr/local/lib/skew.so"}


def test_a_lease_is_not_stolen_by_clocks_that_are_an_hour_off(database, wiki_values, skewed_wiki):
    """Who holds it renews an hour ago, for the others; and they wait for it all the same."""
    held = HeldSetups(database)
    values = wiki_values(
        setup={"lock": "lease"},
        env={**SKEWED, "FAKETIME": "-1h"},
        replicas=1,
    )
    values["image"] = image_values(skewed_wiki)
    Helm3(database.name).install("wiki", values, "--wait=false")
    behind = pod_that_says(database, BEGINS)
    assert round(clock_of(database, behind) / HOUR_S) == -1
    start_beside(database, "right", RELEASE, {"FAKETIME": "+0"})
    start_beside(database, "ahead", RELEASE, {"FAKETIME": "+1h"})
    others = {name: pod_beside(database, name) for name in ("right", "ahead")}
    assert round(clock_of(database, others["ahead"]) / HOUR_S) == 1
    for name in others.values():
        wait_until(partial(waits, database, name), f"{name} to wait", PATIENCE_S, pause_s=0.3)
    holder = lease(database)
    seen = {holder["renewTime"]}
    wait_until(
        lambda: seen.add(lease(database)["renewTime"]) or len(seen) > 3,
        "three renewals beside others that wait",
        PATIENCE_S,
        pause_s=0.3,
    )
    assert {**lease(database), "renewTime": ""} == {**holder, "renewTime": ""}

    kill_in(database, behind)
    wait_until(
        lambda: lease(database)["leaseTransitions"] > holder["leaseTransitions"],
        "another holder",
        PATIENCE_S,
        pause_s=0.3,
    )
    held.let_go()
    for name in (RELEASE, "right", "ahead"):
        database.rolled_out(f"deployment/{name}")
    assert ask(database, "SELECT count(finished_at) FROM setup_run") == ["1"]


def waits(namespace: Namespace, pod: str) -> bool:
    return "held by" in namespace.logs(pod)


def lease(namespace: Namespace) -> dict[str, Any]:
    return dict(namespace.get("lease", RELEASE)["spec"])


def pod_beside(namespace: Namespace, name: str) -> str:
    def found() -> str:
        for item in namespace.get("pods", f"--selector=pastebox-test={name}")["items"]:
            if item["status"]["phase"] == "Running":
                return str(item["metadata"]["name"])
        return ""

    return wait_until(found, f"the pod {name}", PATIENCE_S, pause_s=0.3)


def clock_of(namespace: Namespace, pod: str) -> float:
    """Return how many seconds the clock of a pod is ahead of ours."""
    words = ("python3", "-c", "import time; print(time.time())")
    return float(namespace.run("exec", pod, "--container=app", "--", *words)) - time.time()
