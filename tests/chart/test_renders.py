"""Every values file in ci renders for every Kubernetes, to objects that Kubernetes takes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from chart_render import CHART, FILES, NEWEST, render, run_helm, with_ini

pytestmark = pytest.mark.chart
KUBERNETES = ("1.20", "1.25", "1.27", "1.30", NEWEST)
CUSTOM = {
    "Route",
    "ExternalSecret",
    "HTTPRoute",
    "ScaledObject",
    "ServiceMonitor",
    "PrometheusRule",
}
OF_1_20 = {
    *("v1", "apps/v1", "batch/v1", "policy/v1beta1", "autoscaling/v2beta2", "networking.k8s.io/v1"),
    *("rbac.authorization.k8s.io/v1", "coordination.k8s.io/v1"),
}
AFTER_1_20 = {
    *("unhealthyPodEvictionPolicy", "matchLabelKeys", "minDomains", "nodeTaintsPolicy", "sleep"),
    *("nodeAffinityPolicy", "hostUsers", "podFailurePolicy", "internalTrafficPolicy", "grpc"),
    *("persistentVolumeClaimRetentionPolicy", "resizePolicy", "trafficDistribution", "ordinals"),
    *("appArmorProfile", "maxUnavailableReplicas", "dataSourceRef", "loadBalancerClass"),
}

rendered = cache(render)
files = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")


@files
@pytest.mark.parametrize("kube", KUBERNETES)
def test_it_renders(path: Path, kube: str):
    objects = rendered(path, kube=kube)
    keys = [(item["kind"], item["metadata"]["name"]) for item in objects.items]
    assert len(keys) == len(set(keys))
    assert "<no value>" not in yaml.safe_dump_all(objects.items)


def number(kube: str) -> tuple[int, ...]:
    """1.20 or 1.20.0, to be compared."""
    return tuple(int(part) for part in kube.split(".")[:2])


@pytest.fixture(scope="module")
def validate() -> Iterator[Callable[[dict, str], object]]:
    """kubernetes-validate, strict; it reads its schemas once instead of for each object."""
    library = pytest.importorskip("kubernetes_validate")
    utils = library.utils
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        patch.setattr(utils, "all_versions", cache(utils.all_versions))
        yield lambda item, kube: library.validate(item, kube, strict=True)


@files
def test_every_kubernetes_knows_every_field(path: Path, validate):
    """From 1.25 to the newest that the schemas are known of, each with the render that it gets."""
    utils = pytest.importorskip("kubernetes_validate").utils
    known = sorted({number(version) for version in utils.all_versions()})
    assert known[0] == (1, 25)
    assert known[-1] >= number(NEWEST)
    assert len(known) >= 12
    for major, minor in known:
        last = [kube for kube in KUBERNETES if number(kube) <= (major, minor)][-1]
        for item in rendered(path, kube=last).items:
            if item["kind"] not in CUSTOM:
                validate(item, f"{major}.{minor}")


def test_an_unknown_field_would_be_seen(validate):
    item = rendered(CHART / "ci/minimal.yaml").one("PodDisruptionBudget")
    with pytest.raises(Exception, match="unhealthyPodEvictionPolicy"):
        validate(item, "1.25")


def test_every_version_at_which_the_chart_changes_is_rendered():
    texts = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    asked = set(re.findall(r'"version" "(1\.\d+)"', texts))
    assert {kube for kube in asked if number(kube) >= (1, 25)} <= set(KUBERNETES)
    assert asked


@files
def test_kubernetes_1_20_has_every_api_and_every_field(path: Path):
    """No schema of it is to be had: what came after it and is used for others is listed here."""

    def keys(part: object) -> Iterator[str]:
        if isinstance(part, dict):
            yield from part
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict | list):
                yield from keys(inner)

    for item in rendered(path, kube="1.20").items:
        if item["kind"] not in CUSTOM:
            assert item["apiVersion"] in OF_1_20
            assert not AFTER_1_20 & set(keys(item)), item["kind"]
        if item["kind"] == "StatefulSet":
            assert "minReadySeconds" not in item["spec"]


@files
def test_every_port_says_its_protocol(path: Path):
    """To a server-side apply of an old Kubernetes a port without one is another port."""
    for item in rendered(path, kube="1.20").items:
        ports = item["spec"]["ports"] if item["kind"] == "Service" else []
        assert all("protocol" in port for port in ports)
    for pod in rendered(path, kube="1.20").pods():
        for one in pod["containers"]:
            assert all(port["protocol"] == "TCP" for port in one.get("ports", ()))


@pytest.mark.parametrize(
    ("kind", "old", "version", "new"),
    [
        pytest.param("PodDisruptionBudget", "policy/v1beta1", "1.21", "policy/v1"),
        pytest.param("HorizontalPodAutoscaler", "autoscaling/v2beta2", "1.23", "autoscaling/v2"),
    ],
    ids=["pdb", "hpa"],
)
def test_an_api_is_the_one_that_kubernetes_has(kind, old, version, new):
    before = f"1.{int(version[2:]) - 1}"
    for kube, api in ((before, old), (version, new), (NEWEST, new), (f"v{version}.3-gke.100", new)):
        assert rendered(CHART / "ci/hpa.yaml", kube=kube).one(kind)["apiVersion"] == api, kube


@files
def test_every_mount_has_its_volume_and_every_volume_a_mount(path: Path):
    for item in rendered(path).items:
        template = item.get("spec", {}).get("template")
        if not template or "spec" not in template:
            continue
        pod = template["spec"]
        claims = item["spec"].get("volumeClaimTemplates", ())
        volumes = {v["name"] for v in pod["volumes"]} | {c["metadata"]["name"] for c in claims}
        mounts = {
            mount["name"]
            for one in [*pod["containers"], *pod.get("initContainers", ())]
            for mount in one.get("volumeMounts", ())
        }
        assert volumes == mounts


@files
def test_nothing_is_mounted_as_a_single_file(path: Path):
    """Such a mount never sees a change."""
    for pod in rendered(path).pods():
        for one in pod["containers"]:
            assert not any("subPath" in mount for mount in one.get("volumeMounts", ()))


@files
def test_what_is_chosen_by_labels_is_there(path: Path):
    objects = rendered(path)
    template = objects.workload["spec"]["template"]["metadata"]["labels"]
    chosen = objects.workload["spec"]["selector"]["matchLabels"]
    assert chosen.items() <= template.items()
    ports = {
        port.get("name", port["containerPort"])
        for one in objects.pod["containers"]
        for port in one.get("ports", ())
    }
    for service in objects.all("Service"):
        assert service["spec"]["selector"].items() <= template.items()
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for service in objects.all("Service"):
        names = [port["name"] for port in service["spec"]["ports"]]
        assert len(names) == len(set(names))
        assert all(port["protocol"] == "TCP" for port in service["spec"]["ports"])
    for item in objects.items:
        if item["kind"] != "ConfigMap":
            labels = item["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == "wiki"
            assert labels["app.kubernetes.io/managed-by"] == "Helm"


@files
def test_every_reference_to_an_object_of_the_chart_is_right(path: Path):
    """A Secret, ConfigMap, claim or account by the release's name exists in the same render."""
    objects = rendered(path)
    names = {(item["kind"], item["metadata"]["name"]) for item in objects.items}
    kinds = {"secret": "Secret", "configMap": "ConfigMap"}
    own = "wiki-pastebox"
    for pod in objects.pods():
        wanted = [("ServiceAccount", pod["serviceAccountName"])]
        for volume in pod.get("volumes", ()):
            sources = volume.get("projected", {}).get("sources", [volume])
            for source in sources:
                wanted += [(kinds[k], source[k]["name"]) for k in kinds if k in source]
            claim = volume.get("persistentVolumeClaim")
            wanted += [("PersistentVolumeClaim", claim["claimName"])] if claim else []
        for kind, name in wanted:
            assert not name.startswith(own) or (kind, name) in names, (kind, name)


@pytest.mark.parametrize("length", [3, 40, 47, 48, 53])
@pytest.mark.parametrize("file", ["per-replica", "job-without-hooks", "fastcgi", "monitoring"])
def test_no_name_and_no_label_is_too_long(length: int, file: str):
    """63 characters, less what a StatefulSet's controller appends for its revision."""
    release = "r" * length
    objects = render(CHART / f"ci/{file}.yaml", release=release)
    for item in objects.items:
        name = item["metadata"]["name"]
        assert len(name) <= 63, (item["kind"], name)
        if item["kind"] == "StatefulSet":
            assert len(name) <= 63 - 11
        for labels in (item["metadata"]["labels"], *_inner_labels(item)):
            assert all(len(str(value)) <= 63 for value in labels.values())


def _inner_labels(item: dict) -> list[dict]:
    template = item.get("spec", {}).get("template") or {}
    return [template["metadata"]["labels"]] if "metadata" in template else []


def test_names_that_are_cut_stay_apart():
    first, second = (
        render(with_ini(), release="r" * 52 + end).workload["metadata"]["name"] for end in "ab"
    )
    assert first != second
    assert len(first) == len(second) <= 48


def test_the_linter_has_nothing_to_say():
    for path in FILES:
        answer = run_helm("lint", "--strict", "--quiet", str(CHART), "-f", str(path))
        assert answer.returncode == 0, f"{path.name}: {answer.stdout}"


def test_helm_4_renders_the_same():
    """Another engine and other YAML and schema libraries: the objects are equal."""
    helm4 = pytest.importorskip("helm_python")
    with helm4.Chart.load(str(CHART)) as chart:
        for path in FILES:
            values = yaml.safe_load(path.read_text()) or {}
            chart.validate_schema(values)
            texts = chart.render(values, name="wiki", namespace="apps")
            kube = _kube_of(chart)
            theirs = [
                item
                for name, text in texts.items()
                if not name.endswith((".txt", ".tpl"))
                for item in yaml.safe_load_all(text)
                if item
            ]
            assert _sorted(theirs) == _sorted(rendered(path, kube=kube).items), path.name


@cache
def _kube_of(_chart: object) -> str:
    """The Kubernetes that the library assumes: it cannot be told another one."""
    return "1.36"


def _sorted(items: object) -> list[dict]:
    return sorted(items, key=lambda item: (item["kind"], item["metadata"]["name"]))


def test_the_package_holds_what_is_needed(tmp_path: Path):
    answer = run_helm("package", str(CHART), "-d", str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    (archive,) = tmp_path.glob("*.tgz")
    names = subprocess.run(["tar", "tzf", archive], capture_output=True, text=True, check=True)
    inside = names.stdout.split()
    assert "pastebox/values.schema.json" in inside
    assert "pastebox/dashboards/pastebox.json" in inside
    assert not any("/ci/" in name for name in inside)
