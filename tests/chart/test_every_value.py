"""Every value of values.yaml changes what is rendered: the objects, or what the notes say."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
import yaml
from chart_render import CHART, INI, ROOT

pytestmark = pytest.mark.chart
helm4 = pytest.importorskip("helm_python")

spec = importlib.util.spec_from_file_location("chart_generate", ROOT / "helm/generate.py")
assert spec
assert spec.loader
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
ROWS = {
    ".".join(row.path): row for row in generate.read((CHART / "values.yaml").read_text("utf-8"))
}

SCHEMA = generate.schema(list(ROWS.values()))

IN_USE = {
    "autoscaling": {"enabled": True},
    "autoscaling.kind": {"enabled": True, "triggers": [{"type": "cpu"}]},
    "autoscaling.triggers": {"enabled": True, "kind": "keda", "triggers": [{"type": "cpu"}]},
    "dashboards": {"enabled": True},
    "frontend": {"enabled": True},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]},
    "ingress": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "persistence": {"mode": "shared"},
    "prometheusRule": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "setup": {"waitFor": "tcp://db:5432"},
    "setup.backoffLimit": {"mode": "job"},
    "setup.jobAnnotations": {"mode": "job"},
    "setup.useHooks": {"mode": "job"},
    "service.nodePort": {"type": "NodePort"},
    "secrets.seed": {"generate": ["a"], "seed": "a long text of somebody"},
}
"""What a value needs beside it in its group to be looked at: of the value, or of its group."""

OTHERS: dict[str, Any] = {
    "acceptRisks": ["lock"],
    "affinity": {"nodeAffinity": {}},
    "autoscaling.behavior": {"scaleDown": {}},
    "autoscaling.kind": "keda",
    "autoscaling.metrics": [{"type": "Pods"}],
    "autoscaling.triggers": [{"type": "memory"}],
    "config.existingSecret": "other",
    "config.ini": INI + "threads = 9\n",
    "config.overlays": {"a.ini": "[a]\n"},
    "config.sections": {"app:main": {"use": "egg:a"}},
    "drain.method": "process",
    "envFrom.configMaps": ["a"],
    "envFrom.secrets": ["a"],
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraEnvFrom": [{"configMapRef": {"name": "a"}}],
    "extraManifests": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}],
    "extraVolumeMounts": [{"name": "a", "mountPath": "/a"}],
    "extraVolumes": [{"name": "a", "emptyDir": {}}],
    "frontend.image.digest": "sha256:" + "0" * 64,
    "frontend.maxBodySize": "1g",
    "frontend.static": [{"url": "/static/", "path": "/static"}],
    "httpRoute.hostnames": ["example.com"],
    "httpRoute.parentRefs": [{"name": "b"}],
    "image.digest": "sha256:" + "0" * 64,
    "image.pullSecrets": ["a"],
    "ingress.hosts": ["example.com"],
    "ingress.tls": [{"hosts": ["example.com"]}],
    "initContainers": [{"name": "a", "image": "b"}],
    "instances": {"a": {"ini": INI + "port = 81\n"}},
    "networkPolicy.egress": [{"to": []}],
    "networkPolicy.from": [{"podSelector": {}}],
    "networkPolicy.metricsFrom": [{"podSelector": {}}],
    "openshift": True,
    "pdb.minAvailable": 1,
    "persistence.accessModes": ["ReadWriteMany", "ReadWriteOnce"],
    "podSecurityContext": {"runAsUser": 10002},
    "probes.liveness": {"periodSeconds": 7},
    "probes.readiness": {"periodSeconds": 7},
    "probes.startup": {"periodSeconds": 7},
    "prometheusRule.extraRules": [{"alert": "A"}],
    "secrets.existing": [{"name": "a"}],
    "secrets.generate": ["b"],
    "secrets.seed": "another long text of somebody",
    "secrets.values": {"a": "b"},
    "securityContext": {"privileged": False},
    "service.nodePort": 30001,
    "serviceMonitor.metricRelabelings": [{"action": "drop"}],
    "settings": {"log_format": "json"},
    "setup.backoffLimit": 7,
    "setup.lock": "postgresql",
    "setup.mode": "none",
    "setup.waitFor": "tcp://other:5432",
    "sidecars": [{"name": "a", "image": "b"}],
    "terminationGracePeriodSeconds": 300,
    "tests.path": "/other",
    "tolerations": [{"key": "a"}],
    "topologySpread.keys": ["a"],
    "workers": 3,
}
"""Another value, where its kind alone does not tell one."""

NEEDS = {
    "config.existingSecretKey": {"config": {"existingSecret": "a"}},
    "secrets.generate": {"secrets": {"seed": "a long text of somebody"}},
    "setup.useHooks": {"serviceAccount": {"create": False, "name": "a"}},
    "persistence.accessModes": {"replicas": 1},
    "persistence.mode": {"persistence": {}},
}
"""Values that another one needs in other groups; they are laid over the INI of all renders."""

ALONE = ("config.sections", "config.existingSecret", "config.fromImage", "instances")
"""Forms of the configuration: each stands instead of the INI."""

SILENT: dict[str, str] = {}
"""Values that change nothing in a render, and why."""


def other_of(name: str) -> Any:
    """Another value than the default."""
    if name in OTHERS:
        return OTHERS[name]
    row = ROWS[name]
    part = SCHEMA
    for key in row.path:
        part = part["properties"][key]
    rules = [part, *part.get("anyOf", ())]
    for word in (word for rule in rules for word in rule.get("enum", ())):
        if word not in (row.default, "", "none"):
            return word
    guess = {bool: lambda: not row.default, dict: lambda: {"a": "b"}, str: lambda: _text(row)}
    guess |= {int: lambda: row.default + 1, float: lambda: row.default / 2, type(None): lambda: 3}
    return guess[type(row.default)]()


def _text(row: Any) -> str:
    is_time = row.directives.get("setting", "").endswith(("timeout", "delay"))
    return "19s" if is_time else "/other" if row.default.startswith("/") else "other"


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one map over another."""
    found = dict(low)
    for key, value in high.items():
        is_map = isinstance(value, dict) and isinstance(found.get(key), dict) and value
        found[key] = merged(found[key], value) if is_map else value
    return found


def base_of(name: str) -> dict[str, Any]:
    """The values among which this one is looked at."""
    group = name.partition(".")[0]
    needs = dict(NEEDS.get(name, {}))
    values: dict[str, Any] = {"config": needs.pop("config", {"ini": INI}), **needs}
    in_use = IN_USE.get(name, IN_USE.get(group)) if group not in needs else None
    if name == group or not in_use:
        return values
    values = merged(values, {group: in_use})
    if name.endswith(".enabled"):
        values[group] = {**values[group], "enabled": ROWS[name].default}
    return values


def rendered(values: Mapping[str, Any]) -> str:
    """Everything that Helm makes of the values, the notes with it."""
    return _rendered(yaml.safe_dump(dict(values)))


@cache
def _chart() -> Any:
    return helm4.Chart.load(str(CHART))


@cache
def _rendered(text: str) -> str:
    values = yaml.safe_load(text)
    chart = _chart()
    chart.validate_schema(values)
    files = chart.render(values, name="wiki", namespace="apps")
    return "\n".join(f"{name}\n{files[name]}" for name in sorted(files))


@pytest.mark.parametrize("name", [name for name in ROWS if name not in SILENT])
def test_it_changes_what_is_rendered(name: str):
    base = base_of(name)
    change: Any = other_of(name)
    for key in reversed(name.split(".")):
        change = {key: change}
    changed = {"replicas": 1, **change} if name in ALONE else merged(base, change)
    is_same = rendered(base) == rendered(changed)
    assert not is_same, (base, changed)


def test_the_lists_name_values():
    """What was renamed has no row here any more."""
    for names in (OTHERS, NEEDS, SILENT):
        assert set(names) <= set(ROWS)
    groups = {name.partition(".")[0] for name in ROWS}
    assert set(IN_USE) <= set(ROWS) | groups
