"""A client of the one thing that first boot wants of Kubernetes: a Lease, by get, create, update.

What the server answers is told apart by what to do about it: there is none, somebody was faster,
it does not let us, it is away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pastebox.boot.patience import AwayError, RefusedError
from pastebox.errors import ConfigError

ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"
ANSWER_S = 5.0
_LARGEST = 3 << 20  # above what etcd stores of one object

Lease = dict[str, Any]


class ConflictError(Exception):
    """Somebody else has changed, made or removed it since it was read."""


class Leases:
    """One Lease of this pod's namespace.

    The token is read for every request: the kubelet writes a new one before it ends.
    """

    def __init__(self, name: str, environ: Mapping[str, str], account_dir: str = "") -> None:
        self.name = name
        self._environ = environ
        self._account_dir = account_dir or ACCOUNT_DIR

    def get(self) -> Lease | None:
        """Return the Lease, or ``None`` where there is none.

        Raises:
            ConfigError: this is no pod, or it has no token.
            RefusedError: or another error of this module.
        """
        status, answer = self._request("GET", self.name)
        return None if status == 404 else answer  # noqa: PLR2004  # not found

    def create(self, lease: Lease) -> Lease:
        """Make the Lease.

        Raises:
            ConflictError: there is one by now; or another error of this module.
        """
        return self._write("POST", "", lease)

    def update(self, lease: Lease) -> Lease:
        """Put it in place of the one with the same ``resourceVersion``.

        Raises:
            ConflictError: it is not that one any more; or another error of this module.
        """
        return self._write("PUT", self.name, lease)

    def _write(self, method: str, name: str, lease: Lease) -> Lease:
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            **lease,
            "metadata": {**lease.get("metadata", {}), "name": self.name},
        }
        status, answer = self._request(method, name, body)
        if status == 404:  # noqa: PLR2004  # it was deleted, or its namespace
            raise ConflictError
        return answer

    def _request(
        self, method: str, name: str, body: Lease | None = None
    ) -> tuple[int, dict[str, Any]]:
        import http.client  # noqa: PLC0415  # in a pod with this lock only
        import json  # noqa: PLC0415  # likewise
        import ssl  # noqa: PLC0415  # likewise

        host, port = self._server()
        namespace = self._account("namespace")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        headers = {"Authorization": f"Bearer {self._account('token')}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        context = ssl.create_default_context(cadata=self._account("ca.crt"))
        connection = http.client.HTTPSConnection(host, port, timeout=ANSWER_S, context=context)
        try:
            content = None if body is None else json.dumps(body).encode()
            connection.request(method, path.rstrip("/"), content, headers)
            response = connection.getresponse()
            text = response.read(_LARGEST)
            answer = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise AwayError(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        return _judged(response.status, answer if isinstance(answer, dict) else {})

    def _server(self) -> tuple[str, int]:
        host = self._environ.get("KUBERNETES_SERVICE_HOST")
        if not host:
            raise ConfigError(
                "lock=lease works in a Kubernetes pod only: KUBERNETES_SERVICE_HOST is not set",
                hint="use PASTEBOX_LOCK=file",
            )
        return host, int(self._environ.get("KUBERNETES_SERVICE_PORT", "443"))

    def _account(self, name: str) -> str:
        path = os.path.join(self._account_dir, name)
        try:
            with open(path, encoding="utf-8") as file:
                return file.read().strip()
        except OSError as error:
            raise ConfigError(
                f"lock=lease needs the token of a service account: {error.strerror}",
                file=path,
                hint="the chart mounts it; elsewhere set automountServiceAccountToken: true",
            ) from error


def _judged(status: int, answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    sentence = str(answer.get("message") or f"status {status}")
    if status == 409:  # noqa: PLR2004  # conflict, or it exists already
        raise ConflictError
    if status in (401, 403):
        raise RefusedError(f"{status} {sentence}")
    if status >= 400 and status != 404:  # noqa: PLR2004  # the rest may pass
        raise AwayError(f"{status} {sentence}")
    return status, answer
