"""A lock that is away or lost while pods set up: they wait, stop, begin again, and are ready."""

from __future__ import annotations

import json

import pytest
from cluster_database import ask
from cluster_installs import SETS_UP, pod_that_says
from helms import Helm3
from kube import Namespace

# Longer than the time between two renewals of a lock.
SLOW = {"overlays": {"slow.ini": "[app:main]\nwiki.setup_delay = 15\n"}}


def take_the_lease(namespace: Namespace) -> None:
    taken = {"spec": {"holderIdentity": "somebody-else", "leaseTransitions": 99}}
    patch = ("patch", "lease", "wiki-pastebox", "--type=merge", "--patch", json.dumps(taken))
    namespace.run(*patch)


def end_the_session(namespace: Namespace) -> None:
    statement = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    assert "t" in ask(namespace, f"{statement} AND granted")


@pytest.mark.parametrize(
    ("lock", "take_away"), [("lease", take_the_lease), ("postgresql", end_the_session)]
)
def test_a_lock_lost_in_a_setup_ends_it_and_another_one_begins(
    database, wiki_values, lock, take_away
):
    values = wiki_values(setup={"lock": lock}, config=SLOW, replicas=2)
    Helm3(database.name).install("wiki", values, "--wait=false")
    loser = pod_that_says(database, SETS_UP)
    take_away(database)
    database.rolled_out("deployment/wiki-pastebox")
    assert ask(database, "SELECT count(*), count(finished_at) FROM setup_run") == ["2|1"]
    assert {pod.name: pod.restarts for pod in database.pods()}[loser] > 0


def test_pods_wait_for_a_lock_whose_server_comes_later(database, wiki_values):
    database.run("scale", "deployment/db", "--replicas=0")
    database.run("wait", "--for=delete", "pod", "--selector=app=db", "--timeout=120s", timeout=150)
    values = wiki_values(setup={"lock": "postgresql", "waitFor": ""}, replicas=2)
    Helm3(database.name).install("wiki", values, "--wait=false")
    pod_that_says(database, "waiting for the database")
    database.run("scale", "deployment/db", "--replicas=1")
    database.rolled_out("deployment/wiki-pastebox")
    assert ask(database, "SELECT count(*), count(finished_at) FROM setup_run") == ["1|1"]
