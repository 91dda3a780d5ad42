"""Visitors of releases, who come through their Services."""

from __future__ import annotations

import urllib.error
from functools import partial

from app_process import wait_until
from helms import Helm3, Helm4, HelmError
from kube import PATIENCE_S, Namespace, node_address
from wiki_reader import Reader

NODE_PORT = {"service": {"type": "NodePort"}}
"""Values with which a Service is reached."""


def addresses(namespace: Namespace, release: str) -> dict[str, str]:
    """Return the address of each port of a release's Service, by its name, once all answer.

    Pods are ready a moment before every node knows the way to them.
    """
    ports = namespace.get("service", f"{release}-pastebox")["spec"]["ports"]
    found = {port["name"]: f"http://{node_address()}:{port['nodePort']}" for port in ports}
    for name, address in found.items():
        wait_until(
            partial(_answers, address), f"an answer of {release}, {name}", PATIENCE_S, pause_s=0.3
        )
    return found


def _answers(address: str) -> bool:
    try:
        return Reader(address).read("/")[0] == 200
    except urllib.error.URLError:
        return False


def reader_of(namespace: Namespace, release: str = "wiki") -> Reader:
    """Return a visitor of a release that has one port."""
    (address,) = addresses(namespace, release).values()
    return Reader(address)


def page_of(namespace: Namespace, pod: str, port: int = 8080) -> str:
    """Return the first page of a pod's own, past every Service."""
    ask = (
        f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{port}/').read().decode())"
    )
    return namespace.run("exec", pod, "--container=app", "--", "python", "-c", ask)


def wait_for_tests(helm: Helm3 | Helm4, release: str) -> None:
    """Wait until ``helm test`` passes: it asks once, and a busy machine may be late with a page."""

    def passes() -> bool:
        try:
            helm.test(release)
        except HelmError:
            return False
        return True

    wait_until(passes, f"helm test {release} to pass", PATIENCE_S)
