"""Two versions of an application on one database, at the same time and one after the other."""

from __future__ import annotations

import pytest
from app_process import wait_until
from cluster_database import HeldSetups, ask
from cluster_images import image_values
from cluster_installs import BEGINS, pod_that_says
from cluster_pods import exit_codes
from helms import Helm3
from kube import PATIENCE_S

FINISHED = "SELECT host FROM setup_run WHERE finished_at IS NOT NULL ORDER BY id"


@pytest.mark.parametrize("lock", ["lease", "postgresql"])
def test_two_versions_that_boot_at_once_end_with_the_newer_one(
    database, wiki_values, newer_wiki, lock
):
    older = wiki_values(setup={"lock": lock}, replicas=2)
    newer = {**older, "image": image_values(newer_wiki)}
    helm = Helm3(database.name)
    held = HeldSetups(database)
    helm.install("wiki", older, "--wait=false")
    pod_that_says(database, BEGINS)
    helm.upgrade("wiki", newer, "--wait=false")
    migrates = pod_of_image(database, newer_wiki)
    wait_until(
        lambda: "held by" in database.logs(migrates),
        "two versions at once",
        PATIENCE_S,
        pause_s=0.3,
    )
    held.let_go()
    database.rolled_out("deployment/wiki-pastebox")
    serving = {pod.name for pod in database.serving(2)}
    hosts = ask(database, FINISHED)
    assert [host in serving for host in hosts] == [False, True], hosts

    helm.upgrade("wiki", older, "--wait=false")
    refused = pod_that_says(database, "set up by a newer version of the application")
    wait_until(lambda: exit_codes(database).get(refused) == 78, "its end", PATIENCE_S, pause_s=0.3)
    assert serving == {pod.name for pod in database.pods() if pod.is_ready}
    helm.upgrade("wiki", {**older, "setup": {"lock": lock, "mode": "none"}})
    assert not serving & {pod.name for pod in database.serving(2)}
    assert ask(database, FINISHED) == hosts


def pod_of_image(namespace, image: str) -> str:
    """Return the name of a pod of an image once it runs."""

    def found() -> str:
        for item in namespace.get("pods", "--selector=app.kubernetes.io/component=server")["items"]:
            if item["spec"]["containers"][0]["image"] == image:
                return str(item["metadata"]["name"]) * (item["status"]["phase"] == "Running")
        return ""

    return wait_until(found, f"a pod of {image}", PATIENCE_S, pause_s=0.3)
