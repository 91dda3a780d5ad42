"""A small application under the chart and in ordinary Deployments, and how its pods change."""

from __future__ import annotations

from typing import Any

from app_process import wait_until
from cluster_images import image_values
from cluster_visits import page_of
from helms import Helm3
from kube import PATIENCE_S, Namespace, node_address
from service_load import ServiceLoad

INI = """\
[app:main]
paste.app_factory = toy:make_app
text = hello

[server:main]
use = egg:waitress#main
threads = 16
"""
REPLICAS = 2


class Deployed:
    """The application behind a Service; what is common to both ways."""

    workload = ""
    service = ""
    selector = ""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self._turn = 0

    def load(self) -> ServiceLoad:
        """Return clients of the Service, not started yet."""
        (port,) = self.namespace.get("service", self.service)["spec"]["ports"]
        return ServiceLoad(node_address(), port["nodePort"])

    def delete_a_pod(self) -> None:
        """Delete the oldest pod, and wait until there is another one that is ready."""
        pods = self._pods()
        oldest = min(pods, key=lambda item: item["metadata"]["creationTimestamp"])
        name = oldest["metadata"]["name"]
        self.namespace.run("delete", "pod", name, timeout=PATIENCE_S)
        self.settle()

    def settle(self) -> None:
        """Wait until the pods are the newest ones, all ready, and no old one is left."""
        self.namespace.rolled_out(self.workload)
        wait_until(
            lambda: len(self._pods()) == REPLICAS, "the end of old pods", PATIENCE_S, pause_s=1
        )
        self.namespace.rolled_out(self.workload)

    def _pods(self) -> list[dict[str, Any]]:
        items = self.namespace.get("pods", f"--selector={self.selector}")["items"]
        return list(items)


class ByChart(Deployed):
    """A release of the chart."""

    workload = "deployment/app-pastebox"
    service = "app-pastebox"
    selector = "app.kubernetes.io/component=server"

    def __init__(self, namespace: Namespace, image: str, on_change: str = "roll") -> None:
        super().__init__(namespace)
        self._helm = Helm3(namespace.name)
        self._values: dict[str, Any] = {
            "image": image_values(image),
            "replicas": REPLICAS,
            "service": {"type": "NodePort"},
            "config": {"ini": INI, "onChange": on_change},
            "env": {"TURN": "0"},
        }
        self._helm.install("app", self._values)

    def upgrade(self) -> None:
        """Upgrade the release, and wait until the old pods are gone."""
        self._turn += 1
        self._values["env"] = {"TURN": str(self._turn)}
        self._helm.upgrade("app", self._values)
        self.settle()

    def roll_back(self) -> None:
        """Go back to the revision before."""
        self._helm.rollback("app", 0)
        self.settle()

    def change_the_config(self) -> None:
        """Give it another INI, which replaces the pods."""
        self._give_another_ini()
        self.settle()

    def change_in_place(self) -> None:
        """Give it another INI, and wait until every pod answers by it; no pod is another one."""
        before = {item["metadata"]["uid"] for item in self._pods()}
        text = self._give_another_ini()
        for item in self._pods():
            pod = item["metadata"]["name"]
            wait_until(
                lambda pod=pod: text in page_of(self.namespace, pod),
                f"{text} of {pod}",
                PATIENCE_S,
                pause_s=1,
            )
        assert before == {item["metadata"]["uid"] for item in self._pods()}

    def _give_another_ini(self) -> str:
        self._turn += 1
        text = f"hello {self._turn} "
        self._values["config"]["ini"] = INI.replace("hello", text.strip())
        self._helm.upgrade("app", self._values)
        return text


_WAITRESS = """\
import waitress
from paste.deploy import loadapp
waitress.serve(loadapp("config:/app/app.ini"), host="0.0.0.0", port=8080, threads=16)
"""
PLAIN = {
    "waitress": ("python", "-c", _WAITRESS),
    "gunicorn": ("gunicorn", "--paste=/app/app.ini", "--bind=0.0.0.0:8080", "--threads=16"),
}


class Plain(Deployed):
    """An ordinary Deployment of a plain server."""

    workload = "deployment/app"
    service = "app"
    selector = "app=app"

    def __init__(self, namespace: Namespace, image: str, server: str) -> None:
        super().__init__(namespace)
        labels = {"app": "app"}
        container = {
            "name": "app",
            "image": image,
            "command": ["tini", "--", *PLAIN[server]],
            "workingDir": "/tmp",
            "env": [{"name": "TURN", "value": "0"}],
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 5},
            "livenessProbe": {"httpGet": {"path": "/", "port": 8080}, "timeoutSeconds": 5},
        }
        namespace.apply(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "app"},
                "spec": {
                    "type": "NodePort",
                    "selector": labels,
                    "ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
                },
            },
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "app"},
                "spec": {
                    "replicas": REPLICAS,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [container]},
                    },
                },
            },
        )
        self.settle()

    def upgrade(self) -> None:
        """Change the pods, and wait until the old ones are gone."""
        self._turn += 1
        self.namespace.run("set", "env", self.workload, f"TURN={self._turn}")
        self.settle()

    def roll_back(self) -> None:
        """Go back to the revision before."""
        self.namespace.run("rollout", "undo", self.workload)
        self.settle()
