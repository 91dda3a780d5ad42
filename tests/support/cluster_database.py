"""PostgreSQL in a pod, and what the wiki wants of it; as the examples of the chart name things."""

from __future__ import annotations

import subprocess
from typing import Any

from app_process import wait_until
from kube import PATIENCE_S, Namespace

PASSWORD = "a-password-for-the-wiki"
LABELS = {"app": "db"}
_URL = f"postgresql://wiki:{PASSWORD}@127.0.0.1/wiki"
_PSQL = ("exec", "deployment/db", "--", "psql", _URL, "-qAt")
_WIKI_LOCK = 0x77696B69
_HOLDER = (
    "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory'"
    f" AND granted AND objid = {_WIKI_LOCK} AND query LIKE '%pg_sleep%'"
    " AND pid <> pg_backend_pid()"
)


def start_database(namespace: Namespace, image: str) -> None:
    """Start it with an empty database called wiki, and wait until it answers."""
    namespace.apply(
        _secret("wiki-db", password=PASSWORD),
        _secret("wiki-session", secret="a-long-text-for-the-tests"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "db"},
            "spec": {"selector": LABELS, "ports": [{"port": 5432, "protocol": "TCP"}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "db"},
            "spec": {
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": _pod(image)},
            },
        },
    )
    namespace.rolled_out("deployment/db")


def _pod(image: str) -> dict[str, Any]:
    return {
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {
                "name": "db",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "env": [
                    {"name": "POSTGRES_USER", "value": "wiki"},
                    {"name": "POSTGRES_DB", "value": "wiki"},
                    {"name": "POSTGRES_PASSWORD_FILE", "value": "/run/secrets/db/password"},
                ],
                "ports": [{"containerPort": 5432, "protocol": "TCP"}],
                "readinessProbe": {
                    "exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", "wiki"]},
                    "periodSeconds": 1,
                    "timeoutSeconds": 5,
                },
                "volumeMounts": [{"name": "secret", "mountPath": "/run/secrets/db"}],
            }
        ],
        "volumes": [{"name": "secret", "secret": {"secretName": "wiki-db"}}],
    }


def ask(namespace: Namespace, statement: str) -> list[str]:
    """Return the rows of a statement, as psql prints them."""
    return namespace.run(*_PSQL, "-c", statement, timeout=PATIENCE_S).splitlines()


class HeldSetups:
    """Setups of the wiki that wait at their beginning, for the lock that each takes for itself."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        statement = f"SELECT pg_advisory_lock({_WIKI_LOCK}), pg_sleep(3600)"
        words = ("kubectl", "--namespace", namespace.name, *_PSQL, "-c", statement)
        self._session = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(
            lambda: ask(namespace, _HOLDER),
            "the lock of the wiki's setups",
            PATIENCE_S,
            pause_s=0.3,
        )

    def let_go(self) -> None:
        """Let them go on."""
        ended = ask(self._namespace, f"SELECT pg_terminate_backend(pid) FROM ({_HOLDER}) AS one")
        assert ended == ["t"]
        self._session.wait(PATIENCE_S)


def add_secret(namespace: Namespace, name: str, **texts: str) -> None:
    """Make a Secret, or change it."""
    namespace.apply(_secret(name, **texts))


def _secret(name: str, **texts: str) -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts}
