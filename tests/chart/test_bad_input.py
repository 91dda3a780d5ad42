"""What a user gets wrong most easily: each is refused by both Helms, or told in the notes.

The other tests of refusals go into the branches; this one is the list of what must be there.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import pytest
from chart_render import CHART, INI, Values, refusal, with_ini

pytestmark = pytest.mark.chart
SQLITE = INI.replace("[server", "sqlalchemy.url = sqlite:////data/wiki.db\n[server")


class Row(NamedTuple):
    """Values, and what must be in the sentence about them."""

    values: Values
    words: str


REFUSED = {
    "both config forms": Row(
        {"config": {"ini": INI, "sections": {"app:main": {}}}}, "config.ini and config.sections"
    ),
    "no config form": Row({}, "there is no configuration"),
    "an unknown value": Row(with_ini({"replica": 3}), "replica"),
    "an unknown value in a group": Row(with_ini({"drain": {"wait": "5s"}}), "wait"),
    "replicas with SQLite": Row({"config": {"ini": SQLITE}, "replicas": 3}, "replicas: 3 with SQL"),
    "replicas with SQLite in sections": Row(
        {"config": {"sections": {"app:main": {"url": "sqlite:////data/a.db"}}}}, "with SQLite"
    ),
    "replicas with a file lock that they do not share": Row(
        with_ini({"replicas": 2, "setup": {"lock": "file"}}), "setup.lock: file with replicas: 2"
    ),
    "a volume each with a file lock": Row(
        with_ini({"setup": {"lock": "file"}, "persistence": {"mode": "perReplica"}}),
        "setup.lock: file with replicas: 2",
    ),
    "a drain longer than the grace period": Row(
        with_ini({"terminationGracePeriodSeconds": 30, "drain": {"timeout": "1m"}}),
        "terminationGracePeriodSeconds: 30 is less than the 70 s",
    ),
    "an autoscaler with replicas": Row(
        with_ini({"replicas": 2, "autoscaling": {"enabled": True}}), "replicas: 2 is given beside"
    ),
    "a budget that blocks a single replica": Row(
        with_ini({"replicas": 1, "pdb": {"minAvailable": 1}}),
        "pdb.minAvailable: 1 with replicas: 1",
    ),
    "an Ingress and an HTTPRoute": Row(
        with_ini(
            {
                "ingress": {"enabled": True},
                "httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]},
            }
        ),
        "ingress.enabled and httpRoute.enabled",
    ),
    "ReadWriteOnce with several replicas": Row(
        with_ini({"persistence": {"mode": "shared", "accessModes": ["ReadWriteOnce"]}}),
        "persistence.accessModes: [ReadWriteOnce]",
    ),
    "an instance that binds to loopback": Row(
        {"instances": {"a": {"ini": f"{INI}port = 81\n[pastebox]\nhost = localhost\n"}}},
        "[pastebox] host is loopback",
    ),
}

TOLD = {
    "an INI that binds to loopback": Row(
        {"config": {"ini": INI + "host = 127.0.0.1\n"}}, "the INI binds to loopback"
    ),
    "an INI that binds to loopback in a list": Row(
        {"config": {"ini": INI + "listen = localhost:8080\n"}}, "the INI binds to loopback"
    ),
    "no right to use Leases": Row(
        with_ini({"rbac": {"create": False}}), "must be let get, create and update Leases"
    ),
}
"""A missing key of a Secret needs a cluster, or one that is played: see test_secrets_there.py."""


@cache
def helm4() -> Any:
    """The chart in Helm 4."""
    return pytest.importorskip("helm_python").Chart.load(str(CHART))


def by_helm4(values: Values) -> dict[str, str]:
    """Everything that Helm 4 makes of the values."""
    helm4().validate_schema(values)
    return helm4().render(values, name="wiki", namespace="apps")


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_it_is_refused_by_both_helms(row: Row):
    assert row.words in refusal(row.values)
    error = pytest.importorskip("helm_python").HelmError
    with pytest.raises(error) as told:
        by_helm4(row.values)
    assert row.words in str(told.value)


@pytest.mark.parametrize("row", TOLD.values(), ids=TOLD)
def test_it_is_told_in_the_notes(row: Row):
    texts = by_helm4(row.values)
    (notes,) = (text for name, text in texts.items() if name.endswith("NOTES.txt"))
    assert "Doubtful:" in notes
    assert row.words in notes


def test_the_notes_name_every_instance():
    values = {"instances": {n: {"ini": f"{INI}port = {p}\n"} for n, p in (("a", 81), ("b", 82))}}

    def notes(**more: object) -> str:
        texts = by_helm4({**values, **more})
        return next(text for name, text in texts.items() if name.endswith("NOTES.txt"))

    assert "port-forward service/wiki-pastebox 82 # b: http://127.0.0.1:82/" in notes()
    for one in values["instances"].values():
        one["hosts"] = ["{{ .Release.Name }}.example.com"]
    found = notes(ingress={"enabled": True, "path": "/w", "tls": [{"hosts": []}]})
    assert found.count("https://wiki.example.com/w") == 2
