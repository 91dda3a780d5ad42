"""Pods of a release that differ from the others, and what became of a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kube import Namespace


def start_beside(namespace: Namespace, name: str, release: str, env: Mapping[str, str]) -> None:
    """Start one more pod of a release's Deployment, with other variables; under the same lock."""
    deployed = namespace.get("deployment", release)
    spec = deployed["spec"] | {"replicas": 1}
    labels = {"pastebox-test": name}
    spec["selector"]["matchLabels"] |= labels
    spec["template"]["metadata"]["labels"] |= labels
    app = next(one for one in spec["template"]["spec"]["containers"] if one["name"] == "app")
    given = [one for one in app["env"] if one["name"] not in env]
    app["env"] = [*given, *({"name": key, "value": value} for key, value in env.items())]
    metadata = {"name": name, "labels": labels}
    namespace.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


def exit_codes(namespace: Namespace) -> dict[str, int]:
    """Return with what the container of each pod ended the last time, where it did."""
    found = {}
    selector = "--selector=app.kubernetes.io/component=server"
    for item in namespace.get("pods", selector)["items"]:
        for status in item["status"].get("containerStatuses", ()):
            states: list[dict[str, Any]] = [status.get("state", {}), status.get("lastState", {})]
            ended = next((one["terminated"] for one in states if "terminated" in one), None)
            if status["name"] == "app" and ended is not None:
                found[item["metadata"]["name"]] = int(ended["exitCode"])
    return found
