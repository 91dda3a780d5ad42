"""PostgreSQL in a pod, and what the wiki wants of it; as the examples of the chart name things."""

from __future__ import annotations

from typing import Any

from kube import PATIENCE_S, Namespace

PASSWORD = "a-password-for-the-wiki"
LABELS = {"app": "db"}


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
    words = ["exec", "deployment/db", "--", "psql", f"postgresql://wiki:{PASSWORD}@127.0.0.1/wiki"]
    return namespace.run(*words, "-qAt", "-c", statement, timeout=PATIENCE_S).splitlines()


def _secret(name: str, **texts: str) -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": texts}
