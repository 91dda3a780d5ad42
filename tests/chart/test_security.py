"""Every pod keeps to the restricted Pod Security standard, and to more than that."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chart_render import FILES, render, with_ini
from pod_security import containers_of, violations

pytestmark = pytest.mark.chart
files = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
SECRET_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@files
def test_every_pod_is_restricted(path: Path):
    for pod in render(path).pods():
        assert violations(pod) == []


@files
def test_every_pod_is_more_than_restricted(path: Path):
    """A root file system that cannot be written, and the same user wherever it runs."""
    for pod in render(path).pods():
        assert pod["enableServiceLinks"] is False
        for one in containers_of(pod):
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@files
def test_a_token_is_mounted_where_the_lease_needs_it_and_nowhere_else(path: Path):
    objects = render(path)
    for pod in objects.pods():
        assert pod["automountServiceAccountToken"] is False
        for one in containers_of(pod):
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


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(lambda p, _: p.update(hostNetwork=True), "hostNetwork", id="network"),
        pytest.param(lambda p, _: p.update(hostPID=True), "hostPID", id="pid"),
        pytest.param(
            lambda p, _: p["volumes"].append({"name": "h", "hostPath": {"path": "/"}}),
            "volume hostPath",
            id="host-path",
        ),
        pytest.param(
            lambda p, _: p["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}]),
            "sysctl kernel.msgmax",
            id="sysctl",
        ),
        pytest.param(
            lambda p, _: p["securityContext"].pop("runAsNonRoot"), "app: runAsNonRoot", id="root"
        ),
        pytest.param(
            lambda p, _: p["securityContext"].update(runAsUser=0), "app: runAsUser", id="user"
        ),
        pytest.param(lambda _, c: c.update(runAsUser=0), "app: runAsUser", id="own-user"),
        pytest.param(
            lambda p, _: p["securityContext"].pop("seccompProfile"),
            "app: seccompProfile",
            id="seccomp",
        ),
        pytest.param(
            lambda _, c: c.update(seccompProfile={"type": "Unconfined"}),
            "app: seccompProfile",
            id="own-seccomp",
        ),
        pytest.param(
            lambda _, c: c.pop("allowPrivilegeEscalation"),
            "app: allowPrivilegeEscalation",
            id="escalation",
        ),
        pytest.param(lambda _, c: c.update(privileged=True), "app: privileged", id="privileged"),
        pytest.param(
            lambda _, c: c.update(capabilities={"drop": ["NET_RAW"]}),
            "app: capabilities.drop",
            id="drop",
        ),
        pytest.param(
            lambda _, c: c["capabilities"].update(add=["SYS_PTRACE"]),
            "app: capabilities.add",
            id="add",
        ),
        pytest.param(lambda _, c: c.update(procMount="Unmasked"), "app: procMount", id="proc"),
        pytest.param(
            lambda _, c: c.update(seLinuxOptions={"role": "r"}), "app: seLinuxOptions", id="selinux"
        ),
    ],
)
def test_a_pod_that_is_not_would_be_seen(
    change: Callable[[dict[str, Any], dict[str, Any]], object], expected: str
):
    pod = copy.deepcopy(render(with_ini()).pod)
    change(pod, pod["containers"][0]["securityContext"])
    assert violations(pod) == [expected]


def test_a_host_port_would_be_seen():
    pod = copy.deepcopy(render(with_ini()).pod)
    pod["containers"][0]["ports"][0]["hostPort"] = 80
    assert violations(pod) == ["app: hostPort"]
