"""Every values file in ci renders for every Kubernetes, to objects that Kubernetes takes."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml
from chart_render import CHART, NEWEST, VALUES_FILES, render, run_helm, with_ini

pytestmark = pytest.mark.chart
KUBERNETES = ("1.20", "1.25", "1.30", NEWEST)
EXAMPLES = sorted((CHART.parent / "examples").glob("*.yaml"))
FILES = [*VALUES_FILES, *EXAMPLES]
CUSTOM = {
    "Route",
    "ExternalSecret",
    "HTTPRoute",
    "ScaledObject",
    "ServiceMonitor",
    "PrometheusRule",
}
SECRET_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

rendered = cache(render)
files = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")


@files
@pytest.mark.parametrize("kube", KUBERNETES)
def test_it_renders(path: Path, kube: str):
    objects = rendered(path, kube=kube)
    keys = [(item["kind"], item["metadata"]["name"]) for item in objects.items]
    assert len(keys) == len(set(keys))
    assert "<no value>" not in yaml.safe_dump_all(objects.items)


@files
@pytest.mark.parametrize("kube", KUBERNETES[1:])
def test_kubernetes_knows_every_field(path: Path, kube: str):
    validate = pytest.importorskip("kubernetes_validate")
    for item in rendered(path, kube=kube).items:
        if item["kind"] not in CUSTOM:
            validate.validate(item, kube, strict=True)


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
def test_every_pod_is_restricted(path: Path):
    """The rules of the restricted Pod Security standard, of every container of every pod."""
    for pod in rendered(path).pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context.get("runAsUser", 1) != 0
        assert context["seccompProfile"]["type"] == "RuntimeDefault"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        allowed = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected"}
        for volume in pod.get("volumes", ()):
            assert set(volume) - {"name"} <= allowed, volume
        for one in [*pod["containers"], *pod.get("initContainers", ())]:
            own = one["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert own["readOnlyRootFilesystem"] is True
            assert not any("hostPort" in port for port in one.get("ports", ()))


@files
def test_a_token_is_mounted_where_the_lease_needs_it_and_nowhere_else(path: Path):
    objects = rendered(path)
    for pod in objects.pods():
        assert pod["automountServiceAccountToken"] is False
        for one in [*pod["containers"], *pod.get("initContainers", ())]:
            env = {entry["name"]: entry.get("value") for entry in one.get("env", ())}
            locks = env.get("PASTEBOX_LOCK") == "lease" and env.get("PASTEBOX_SETUP") != "never"
            mounts = [mount["mountPath"] for mount in one.get("volumeMounts", ())]
            assert (SECRET_MOUNT in mounts) == locks, one["name"]
        tokens = [v for v in pod.get("volumes", ()) if v["name"] == "token"]
        for volume in tokens:
            source = volume["projected"]["sources"][0]["serviceAccountToken"]
            assert source["expirationSeconds"] == 3600
    for account in objects.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


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
    for path in VALUES_FILES:
        answer = run_helm("lint", "--strict", "--quiet", str(CHART), "-f", str(path))
        assert answer.returncode == 0, f"{path.name}: {answer.stdout}"


def test_helm_4_renders_the_same():
    """Another engine and other YAML and schema libraries: the objects are equal."""
    helm4 = pytest.importorskip("helm_python")
    with helm4.Chart.load(str(CHART)) as chart:
        for path in VALUES_FILES:
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
