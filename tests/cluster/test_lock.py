"""A lock that is away or lost while pods set up: they wait, stop, begin again, and are ready."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from app_process import wait_until
from cluster_database import ask
from cluster_installs import BEGINS, SETS_UP, pod_that_says
from cluster_lock_servers import ApiServer, DatabaseServer, LockServer
from cluster_pods import exit_codes
from helms import Helm3
from kube import PATIENCE_S, Namespace

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


@pytest.mark.parametrize("server_of", [ApiServer, DatabaseServer])
def test_a_server_that_is_away_and_away_again_in_a_setup_is_waited_for(
    database, wiki_values, server_of: Callable[[Namespace], LockServer]
):
    server = server_of(database)
    server.go_away()
    values = wiki_values(**server.values, replicas=2)
    Helm3(database.name).install("wiki", values, "--wait=false")
    pod_that_says(database, server.waiting)
    server.come_back()
    loser = pod_that_says(database, BEGINS)
    server.go_away()
    wait_until(
        lambda: exit_codes(database).get(loser) == 75,
        "the end of the loser",
        PATIENCE_S,
        pause_s=0.3,
    )
    server.let_go()
    server.come_back()
    database.rolled_out("deployment/wiki-pastebox")
    assert ask(database, "SELECT count(finished_at) FROM setup_run") == ["1"]
