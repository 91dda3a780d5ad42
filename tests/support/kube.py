"""A namespace of a real cluster as the tests use it: by kubectl, each wait with a deadline."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from app_process import wait_until

PATIENCE_S = 180.0
"""For events that come in seconds on an idle machine."""

Values = Mapping[str, Any]


def kubectl(*words: str, given: str = "", timeout: float = 60) -> str:
    """Run one kubectl command; return what it said; fail with it."""
    answer = subprocess.run(
        ["kubectl", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert answer.returncode == 0, f"kubectl {' '.join(words)}: {answer.stdout}{answer.stderr}"
    return answer.stdout


class Pod(NamedTuple):
    """What is known of a pod at a moment."""

    name: str
    phase: str
    is_ready: bool
    is_ending: bool
    restarts: int


class Namespace:
    """A namespace of its own for one test, and what is in it."""

    def __init__(self, prefix: str = "pastebox-test") -> None:
        self.name = f"{prefix}-{secrets.token_hex(4)}"
        kubectl("create", "namespace", self.name)

    def remove(self) -> None:
        """Remove it with all that is in it; nobody waits for the end of that."""
        kubectl("delete", "namespace", self.name, "--wait=false")

    def run(self, *words: str, given: str = "", timeout: float = 60) -> str:
        """Run a kubectl command in it."""
        return kubectl("--namespace", self.name, *words, given=given, timeout=timeout)

    def apply(self, *objects: Values) -> None:
        """Make objects, or change them."""
        self.run("apply", "--filename", "-", given=yaml.safe_dump_all(objects))

    def get(self, *words: str) -> Any:
        """Return an object, or a list of them."""
        return json.loads(self.run("get", *words, "--output", "json"))

    def rolled_out(self, name: str, timeout: float = PATIENCE_S) -> None:
        """Wait until every pod of a workload is of its newest revision, and ready."""
        deadline = f"--timeout={timeout:.0f}s"
        self.run("rollout", "status", name, deadline, timeout=timeout + 30)

    def pods(self, component: str = "server") -> list[Pod]:
        """Return the pods of a component of the chart, those that end included."""
        selector = f"--selector=app.kubernetes.io/component={component}"
        return [_pod(item) for item in self.get("pods", selector)["items"]]

    def serving(self, count: int, timeout: float = PATIENCE_S) -> list[Pod]:
        """Return the pods once so many are ready, and no other one is left."""

        def settled() -> list[Pod]:
            pods = self.pods()
            return pods if len(pods) == count and all(pod.is_ready for pod in pods) else []

        return wait_until(
            settled, f"{count} pods that are ready, and no other", timeout, pause_s=0.5
        )

    def logs(self, pod: str, container: str = "app") -> str:
        """Return what a container has logged."""
        return self.run("logs", pod, "--container", container)

    def diagnosis(self) -> str:
        """Return what a person would look at first: objects, events, descriptions, logs."""
        looks: list[Sequence[str]] = [
            ("get", "all,lease", "--output", "wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("describe", "pods"),
        ]
        names = self._try("get", "pods", "--output", "name").split()
        looks += [("logs", name, "--all-containers", "--timestamps") for name in names]
        looks += [("logs", name, "--all-containers", "--previous") for name in names]
        told = [(look, self._try(*look)) for look in looks]
        return "\n".join(f"--- kubectl {' '.join(look)}\n{text}" for look, text in told if text)

    def _try(self, *words: str) -> str:
        try:
            return self.run(*words)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            return "" if "--previous" in words else str(error)


def _pod(item: Values) -> Pod:
    status = item["status"]
    conditions = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return Pod(
        name=item["metadata"]["name"],
        phase=status["phase"],
        is_ready=conditions.get("Ready") == "True",
        is_ending="deletionTimestamp" in item["metadata"],
        restarts=sum(
            one["restartCount"]
            for kind in ("containerStatuses", "initContainerStatuses")
            for one in status.get(kind, ())
        ),
    )


def node_address() -> str:
    """Return an address of a node, at which its NodePorts are reached."""
    nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    addresses = nodes[0]["status"]["addresses"]
    return next(one["address"] for one in addresses if one["type"] == "InternalIP")


def load_images(*names: str) -> None:
    """Bring images of the docker engine into the nodes, by the command that the run was given."""
    words = os.environ["PASTEBOX_TEST_CLUSTER_LOAD"].split()
    answer = subprocess.run(
        [*words, *names], capture_output=True, text=True, timeout=300, check=False
    )
    assert answer.returncode == 0, f"{' '.join(words)}: {answer.stdout}{answer.stderr}"
