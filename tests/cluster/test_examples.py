"""Examples of the chart that need nothing but Kubernetes, installed as they are and visited.

The one with PostgreSQL is in test_release.py; GitOps and external secrets need operators.
"""

from __future__ import annotations

import copy
from functools import partial

from app_process import wait_until
from cluster_database import PASSWORD, add_secret, ask
from cluster_images import example_values, image_values
from cluster_visits import NODE_PORT, addresses, page_of, reader_of, wait_for_tests
from helms import Helm3
from kube import PATIENCE_S
from wiki_reader import Reader, assert_apart

URL = f"postgresql://wiki:{PASSWORD}@db"
INI = f"""\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = {URL}/wiki
session.secret = a-long-text-for-the-tests
[server:main]
use = egg:waitress#main
"""
UID = 1_000_650_000


def test_examples_of_one_wiki_serve_it(database, images, nginx):
    add_secret(database, "wiki", password=PASSWORD, session="a-long-text-for-the-tests")
    add_secret(database, "wiki-ini", **{"app.ini": INI})
    more = {
        "minimal": {},
        "fastcgi": {"frontend": {"image": image_values(nginx)}},
        # What OpenShift does to a pod; it alone has Routes.
        "openshift": {"securityContext": {"runAsUser": UID}, "extraManifests": []},
    }
    helm = Helm3(database.name)
    for name, values in more.items():
        given = example_values(name, images.wiki, **NODE_PORT, **values)
        helm.install(name, given, "--wait=false")
    for name in more:
        database.rolled_out(f"deployment/{name}-pastebox")
        reader = reader_of(database, name)
        reader.write(f"By-{name}", f"Written by {name}.")
        assert f"Written by {name}." in reader.read(f"/page/By-{name}")[1]
    with reader.opener.open(addresses(database, "fastcgi")["http"] + "/static/wiki.css") as answer:
        assert (answer.status, answer.headers["Server"]) == (200, "nginx")
    user = database.run("exec", "deployment/openshift-pastebox", "--container=app", "--", "id")
    assert user.startswith(f"uid={UID} gid=0(root)")


def test_the_example_of_instances_serves_five_wikis_and_follows_them(database, images):
    # Ten servers on the machine of a test may take long to say that they are ready.
    patience = {"probes": {"readiness": {"failureThreshold": 20}}}
    values = example_values("instances", images.wiki, **NODE_PORT, **patience)
    names = list(values["instances"])
    for name in names:
        ask(database, f"CREATE DATABASE {name}")
    add_secret(database, "wikis-db", password=PASSWORD)
    sessions = {f"{name}_session": f"a-long-text-for-{name}" for name in names}
    add_secret(database, "wikis-sessions", **sessions)
    helm = Helm3(database.name)
    helm.install("wikis", values)
    found = addresses(database, "wikis")
    assert list(found) == names
    assert_apart(list(found.values()))
    wait_for_tests(helm, "wikis")

    before = {pod.name for pod in database.serving(2)}
    changed = copy.deepcopy(values)
    team = changed["instances"]["team"]
    team["ini"] = team["ini"].replace("= Team", "= Renamed")
    helm.upgrade("wikis", changed)
    for pod in before:
        says = partial(page_of, database, pod, port=8085)
        wait_until(
            lambda says=says: "Renamed" in says(),
            f"the new title in {pod}",
            PATIENCE_S,
            pause_s=0.3,
        )
    assert before == {pod.name for pod in database.pods()}

    del changed["instances"]["shop"]
    helm.upgrade("wikis", changed)
    assert not before & {pod.name for pod in database.serving(2)}
    left = addresses(database, "wikis")
    assert list(left) == [name for name in names if name != "shop"]
    assert all("Only" in Reader(address).read("/pages")[1] for address in left.values())
