"""The life of a release: the wiki with PostgreSQL, by Helm 3 and by Helm 4."""

from __future__ import annotations

from typing import Any

import pytest
from app_process import wait_until
from cluster_database import ask
from cluster_visits import NODE_PORT, reader_of, wait_for_tests
from helms import Helm3, Helm4, HelmError
from kube import PATIENCE_S, Namespace


@pytest.fixture(params=[Helm3, Helm4], ids=["helm-3", "helm-4"])
def helm(request: pytest.FixtureRequest, namespace: Namespace) -> Any:
    if request.param is Helm4 and not Helm4.is_there():
        pytest.fail("helm-python-sdk is not installed: make .venv/.chart")
    return request.param(namespace.name)


def test_a_release_from_its_installation_to_its_end(helm, database, wiki_values):
    helm.install("wiki", wiki_values(replicas=2, **NODE_PORT))
    reader = reader_of(database)
    assert "Wiki" in reader.read("/")[1]
    reader.write("Kept", "This page outlives every pod.")
    wait_for_tests(helm, "wiki")
    assert len(database.serving(2)) == 2
    assert ask(database, "SELECT count(*) FROM setup_run") == ["1"]

    first = {pod.name for pod in database.pods()}
    changed = wiki_values(replicas=2, **NODE_PORT)
    changed["config"]["ini"] = changed["config"]["ini"].replace("= Wiki", "= Renamed")
    helm.upgrade("wiki", changed)
    assert not first & {pod.name for pod in database.serving(2)}
    assert "Renamed" in reader.read("/")[1]
    wait_for_tests(helm, "wiki")

    helm.upgrade("wiki", changed | {"replicas": 3})
    database.serving(3)

    helm.rollback("wiki", 1)
    database.serving(2)
    status, page = reader.read("/page/Kept")
    assert (status, "Renamed" in page) == (200, False)
    assert "outlives every pod" in page

    helm.uninstall("wiki")
    wait_until(lambda: not database.pods(), "the end of the pods", PATIENCE_S)
    kinds = "deployment,replicaset,service,lease,secret,serviceaccount,role,pdb,ingress"
    assert "wiki-pastebox" not in database.run("get", kinds, "--output", "name").replace(
        "secret/wiki-pastebox-token-", ""
    )


def test_a_release_whose_page_fails_fails_its_test(database, wiki_values):
    helm = Helm3(database.name)
    helm.install("wiki", wiki_values(replicas=1, tests={"path": "/page/../../nothing"}))
    with pytest.raises(HelmError, match="Failed"):
        helm.test("wiki")
