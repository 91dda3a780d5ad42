"""Cold installations of the wiki with many replicas, with and without the death of the leader."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from app_process import wait_until
from cluster_database import ask
from helms import Helm3
from kube import PATIENCE_S, Namespace

SLOW_SETUP = "[app:main]\nwiki.setup_delay = 6\n"
"""Long enough to be found and killed in the middle, also on a busy machine."""
SETS_UP = "pastebox-wiki setup: waiting elapsed_s=1"
"""The wiki says it in the middle of a setup that was made to take its time."""
BEGINS = "running setup_app()"
"""Pastebox says it where a setup begins."""


class Install(NamedTuple):
    """What came of one installation.

    Attributes:
        begun: setups that began.
        finished: setups that ended.
        restarts: containers that were started again.
        waited: seconds of each pod from its creation until it was ready.
        was_killed: whether the leader was killed in the middle.
    """

    begun: int
    finished: int
    restarts: int
    waited: list[float]
    was_killed: bool

    @property
    def is_right(self) -> bool:
        """Whether the application was set up once.

        A setup may begin again where the one before has died: killed, or since its lock could not
        be held on a machine that gives it no time. It never begins beside another one.
        """
        return self.finished == 1 and 1 + self.was_killed <= self.begun <= 1 + self.restarts


def install_cold(
    namespace: Namespace, values: Mapping[str, Any], replicas: int, *, kills: bool
) -> Install:
    """Install the wiki on its empty database, and see it become ready."""
    given = {**values, "replicas": replicas}
    Helm3(namespace.name).install("wiki", given, "--wait=false")
    if kills:
        kill_in(
            namespace,
            wait_until(lambda: _leader(namespace), "a setup that begins", PATIENCE_S, pause_s=0.2),
        )
    namespace.rolled_out("deployment/wiki-pastebox", PATIENCE_S * 2)
    restarts = sum(pod.restarts for pod in namespace.pods())
    waited = [_waited(item) for item in _items(namespace)]
    assert len(waited) == replicas, waited
    count = "SELECT count(*), count(finished_at) FROM setup_run"
    begun, finished = map(int, ask(namespace, count)[0].split("|"))
    return Install(begun, finished, restarts, waited, kills)


def empty(namespace: Namespace) -> None:
    """Wait for the end of the pods, and empty the database for another installation."""
    wait_until(lambda: not _items(namespace), "the end of the pods", PATIENCE_S, pause_s=1)
    ask(namespace, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")


def _items(namespace: Namespace) -> list[dict[str, Any]]:
    selector = "--selector=app.kubernetes.io/component=server"
    return list(namespace.get("pods", selector)["items"])


def kill_in(namespace: Namespace, name: str) -> None:
    """Kill every process of a pod, and wait until it starts again."""
    # Its PID 1 cannot be killed from within, and ends with the process that it started; whether
    # this command lives to say how it ended is chance.
    with contextlib.suppress(AssertionError):
        namespace.run("exec", name, "--container", "app", "--", "sh", "-c", "kill -9 -1")
    wait_until(
        lambda: any(pod.name == name and pod.restarts for pod in namespace.pods()),
        f"the restart of {name}",
        PATIENCE_S,
        pause_s=1,
    )


def _leader(namespace: Namespace) -> str:
    """Return the name of the pod that has begun a setup and not ended it, if there is one."""
    try:
        (name,) = ask(namespace, "SELECT host FROM setup_run WHERE finished_at IS NULL")
    except (AssertionError, ValueError):  # no table yet, no row yet
        return ""
    return name


def pod_that_says(namespace: Namespace, text: str) -> str:
    """Return the name of a pod once its log has a text."""

    def found() -> str:
        for pod in namespace.pods():
            # One that goes away meanwhile has no log any more.
            with contextlib.suppress(AssertionError):
                if pod.phase == "Running" and text in namespace.logs(pod.name):
                    return pod.name
        return ""

    return wait_until(found, f"a pod that says {text}", PATIENCE_S, pause_s=0.2)


def _waited(item: Mapping[str, Any]) -> float:
    ready = next(one for one in item["status"]["conditions"] if one["type"] == "Ready")
    return _seconds(ready["lastTransitionTime"]) - _seconds(item["metadata"]["creationTimestamp"])


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def median(numbers: list[float]) -> float:
    """Return the one in the middle."""
    return sorted(numbers)[len(numbers) // 2]
