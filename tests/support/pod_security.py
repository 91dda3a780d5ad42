"""The restricted Pod Security standard as rules: what of a pod a restricted namespace refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
    | {"persistentVolumeClaim"}
)
SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
    }
    | {"net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range"}
)


def violations(pod: Mapping[str, Any]) -> list[str]:
    """Return what a restricted namespace would refuse in the specification of a pod."""
    return [*_of_the_pod(pod), *(f for one in containers_of(pod) for f in _of_one(one, pod))]


def containers_of(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of every kind."""
    kinds = ("containers", "initContainers", "ephemeralContainers")
    return [one for kind in kinds for one in pod.get(kind, ())]


def _of_the_pod(pod: Mapping[str, Any]) -> Iterator[str]:
    context = pod.get("securityContext", {})
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    for volume in pod.get("volumes", ()):
        yield from (f"volume {kind}" for kind in set(volume) - {"name"} - VOLUMES)
    for sysctl in context.get("sysctls", ()):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']}"


def _of_one(one: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    own = one.get("securityContext", {})
    both = (pod.get("securityContext", {}), own)
    merged = {**both[0], **own}
    capabilities = own.get("capabilities", {})
    labels = [context.get("seLinuxOptions", {}) for context in both]
    windows = [context.get("windowsOptions", {}) for context in both]
    seccomp = merged.get("seccompProfile", {}).get("type")
    broken = {
        "runAsNonRoot": merged.get("runAsNonRoot") is not True,
        "runAsUser": any(context.get("runAsUser") == 0 for context in both),
        "seccompProfile": seccomp not in ("RuntimeDefault", "Localhost"),
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
        "privileged": own.get("privileged", False),
        "capabilities.drop": "ALL" not in capabilities.get("drop", ()),
        "capabilities.add": set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"},
        "procMount": own.get("procMount", "Default") != "Default",
        "seLinuxOptions": any(label.get("user") or label.get("role") for label in labels),
        "hostProcess": any(options.get("hostProcess") for options in windows),
        "hostPort": any(port.get("hostPort") for port in one.get("ports", ())),
    }
    yield from (f"{one['name']}: {rule}" for rule, is_broken in broken.items() if is_broken)
