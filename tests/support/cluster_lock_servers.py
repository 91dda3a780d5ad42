"""The servers of the locks that reach across pods, away at will for the pods of one namespace."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import yaml
from app_process import wait_until
from cluster_database import HeldSetups
from kube import PATIENCE_S, Namespace, kubectl


class LockServer(Protocol):
    """The server of one lock.

    ``values`` are the chart's, ``waiting`` is what pods say that wait for it.
    """

    values: ClassVar[dict[str, Any]]
    waiting: str

    def go_away(self) -> None:
        """Answer nobody in this namespace."""
        ...

    def come_back(self) -> None:
        """Answer again."""
        ...

    def let_go(self) -> None:
        """Let setups end that take longer than everything before."""
        ...


class ApiServer:
    """The API server, by a Service of the namespace; its name is one that the server has, too."""

    values: ClassVar[dict[str, Any]] = {
        "setup": {"lock": "lease"},
        "extraEnv": [{"name": "KUBERNETES_SERVICE_HOST", "value": "kubernetes"}],
    }
    waiting = "waiting for the API server"

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        ports = [{"name": "https", "port": 443, "protocol": "TCP"}]
        namespace.apply(self._object("Service") | {"spec": {"ports": ports}})
        self._held = HeldSetups(namespace)

    def go_away(self) -> None:
        """Lead nowhere."""
        self._namespace.run("delete", "endpoints", "kubernetes", "--ignore-not-found")

    def come_back(self) -> None:
        """Lead where the cluster's own Service leads."""
        words = ("get", "endpoints", "kubernetes", "--output", "jsonpath={.subsets}")
        subsets = yaml.safe_load(kubectl("--namespace", "default", *words))
        self._namespace.apply(self._object("Endpoints") | {"subsets": subsets})

    def let_go(self) -> None:
        """Take the wiki's own lock away."""
        self._held.let_go()

    def _object(self, kind: str) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "kubernetes"}}


class DatabaseServer:
    """PostgreSQL; it forgets everything when it goes away, and then a setup takes its time."""

    values: ClassVar[dict[str, Any]] = {
        "setup": {"lock": "postgresql", "waitFor": ""},
        "config": {"overlays": {"slow.ini": "[app:main]\nwiki.setup_delay = 25\n"}},
    }
    waiting = "waiting for the database"

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def go_away(self) -> None:
        """End it."""
        self._namespace.run("scale", "deployment/db", "--replicas=0")
        selector = "--selector=app=db"
        wait_until(
            lambda: not self._namespace.get("pods", selector)["items"],
            "the end of the database",
            PATIENCE_S,
            pause_s=0.3,
        )

    def come_back(self) -> None:
        """Start it."""
        self._namespace.run("scale", "deployment/db", "--replicas=1")
        self._namespace.rolled_out("deployment/db")

    def let_go(self) -> None:
        """Nothing to do: they end by themselves."""
