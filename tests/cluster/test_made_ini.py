"""Pods that make their INI for themselves, and secrets that outlive what they were made for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cluster_database import PASSWORD, add_secret, ask
from cluster_images import image_values
from cluster_visits import NODE_PORT, reader_of
from helms import Helm3
from kube import Namespace

URL = f"postgresql://wiki:{PASSWORD}@db/wiki"
DATABASE = f"[app:main]\nsqlalchemy.url = {URL}\n"
MORE: dict[str, dict[str, Any]] = {
    # What is random follows from a secret that the chart makes.
    "lease": {"setup": {"lock": "lease", "waitFor": "tcp://db:5432"}},
    # It is chance, and the database keeps it.
    "postgresql": {
        "setup": {"lock": "postgresql"},
        "acceptRisks": ["lock"],
        "secrets": {"existing": [{"name": "lock"}]},
        "extraEnv": [{"name": "PASTEBOX_LOCK_URL_FILE", "value": "/run/secrets/pastebox/url"}],
    },
}


@pytest.mark.parametrize("lock", list(MORE))
def test_pods_without_an_ini_have_one_and_the_same_for_ever(database, images, lock):
    add_secret(database, "lock", url=URL)
    values = {
        "image": image_values(images.wiki),
        "config": {"fromImage": True, "overlays": {"database.ini": DATABASE}},
        "replicas": 3,
        **NODE_PORT,
        **MORE[lock],
    }
    helm = Helm3(database.name)
    helm.install("wiki", values)
    ini = the_ini_of(database, 3)
    assert re.search(r"^session\.secret = \S{32,}$", ini, re.MULTILINE)
    assert ask(database, "SELECT count(finished_at) FROM setup_run") == ["1"]
    reader = reader_of(database)
    form = reader.form("Open")

    first = {pod.name for pod in database.pods()}
    helm.upgrade("wiki", values | {"env": {"TURN": "1"}})
    assert the_ini_of(database, 3) == ini
    assert not first & {pod.name for pod in database.pods()}

    helm.uninstall("wiki")
    helm.install("wiki", values | {"replicas": 2})
    assert the_ini_of(database, 2) == ini
    reader.base = reader_of(database).base
    reader.send(form, "Sent to the next installation.")


def the_ini_of(namespace: Namespace, count: int) -> str:
    """Return the INI that every pod has made."""
    words = ("--container=app", "--", "cat", "/data/.pastebox/app.ini")
    made = {namespace.run("exec", pod.name, *words) for pod in namespace.serving(count)}
    assert len(made) == 1, made
    return made.pop()
