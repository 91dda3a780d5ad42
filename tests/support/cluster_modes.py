"""What comes of each way to set up, to install and to upgrade; the rows of a table."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from app_process import wait_until
from cluster_database import ask
from cluster_images import merged
from helms import Helm3, HelmError
from kube import PATIENCE_S, Namespace, node_address
from service_load import Client, ServiceLoad

MODES: dict[str, dict[str, Any]] = {
    "leader": {"mode": "leader"},
    "job, with hooks": {"mode": "job", "backoffLimit": 1},
    "job, without hooks": {"mode": "job", "useHooks": False, "backoffLimit": 1},
    "initContainer": {"mode": "initContainer"},
}
FLAGS = {"plain": "--wait=false", "--wait": "--wait", "--atomic": "--atomic"}
EVENTS = ("first installation", "upgrade", "upgrade with a migration", "migration that fails")
FAILS_AFTER_S = 60
"""Time that Helm has where nothing can come of it; a setup fails twice in it."""

_READERS = (Client("reader", "/", keeps=True, every_s=0.1),) * 2


class Row(NamedTuple):
    """One outcome.

    Attributes:
        event: what was done.
        helm: what Helm said of it: deployed or failed, and the state of the release after it.
        setups: setups that ended by then, of this event.
        serving: which pods are ready in the end.
        lost: requests of the event's time that failed; nothing where nothing served before it.
    """

    mode: str
    flags: str
    event: str
    helm: str
    setups: int
    serving: str
    lost: str


def outcomes(
    namespace: Namespace,
    values: Mapping[str, Any],
    mode: str,
    flags: str,
    events: Collection[str] = EVENTS,
) -> Iterator[Row]:
    """Install, upgrade without and with a migration, and with one that fails.

    What else is not among the events is left out; an installation comes first in any case.
    """
    given = merged(values, {"setup": MODES[mode], "service": {"type": "NodePort"}, "replicas": 2})
    done = 0
    for event in EVENTS:
        if event not in {EVENTS[0], *events}:
            continue
        given = merged(given, _CHANGES[event])
        fails = event == EVENTS[-1]
        before = {pod.name for pod in namespace.pods()}
        told = _failures(namespace)
        lost = ""
        if before:
            (port,) = namespace.get("service", "wiki-pastebox")["spec"]["ports"]
            with ServiceLoad(node_address(), port["nodePort"], _READERS) as load:
                helm = _helm(namespace, given, flags, fails=fails, is_first=False)
                serving = _serving(namespace, before, told if fails else None)
                load.wait_for(20)
            lost = str(len(load.failures))
        else:
            helm = _helm(namespace, given, flags, fails=fails, is_first=True)
            serving = _serving(namespace, before, None)
        total = int(ask(namespace, "SELECT count(finished_at) FROM setup_run")[0])
        yield Row(mode, flags, event, helm, total - done, serving, lost)
        done = total


def _overlay(delay: str) -> dict[str, Any]:
    return {"config": {"overlays": {"o.ini": f"[app:main]\nwiki.setup_delay = {delay}\n"}}}


_CHANGES: dict[str, dict[str, Any]] = {
    "first installation": {},
    "upgrade": {"env": {"TURN": "1"}},
    "upgrade with a migration": _overlay("1"),
    "migration that fails": _overlay("wrong"),
}


def _helm(
    namespace: Namespace, values: Mapping[str, Any], flags: str, *, fails: bool, is_first: bool
) -> str:
    helm = Helm3(namespace.name)
    change = helm.install if is_first else helm.upgrade
    wait_s = FAILS_AFTER_S if fails else int(PATIENCE_S)
    try:
        change("wiki", values, FLAGS[flags], wait_s=wait_s)
    except HelmError:
        said = "error"
    else:
        said = "success"
    return f"{said}, {helm.history('wiki')[-1]}"


def _serving(namespace: Namespace, before: set[str], told: set[str] | None) -> str:
    """Wait until the pods have come to rest: the new ones serve, or cannot.

    They cannot where it is known what the cluster told of failures before.
    """
    if told is None:
        namespace.rolled_out("deployment/wiki-pastebox")
        namespace.serving(2)
    else:
        wait_until(lambda: _failures(namespace) > told, "a failed setup", PATIENCE_S, pause_s=1)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: _ready(namespace) == before, "the old pods", pause_s=1)
        # A rollback without hooks has a Job as well, which Helm does not wait for.
        wait_until(lambda: _jobs_are_over(namespace), "the end of Jobs", PATIENCE_S, pause_s=1)
    ready = _ready(namespace)
    old, new = len(ready & before), len(ready - before)
    return ", ".join([f"{old} old"] * bool(old) + [f"{new} new"] * bool(new)) or "none"


def _jobs_are_over(namespace: Namespace) -> bool:
    return all(pod.phase in {"Succeeded", "Failed"} for pod in namespace.pods("setup"))


def _ready(namespace: Namespace) -> set[str]:
    return {pod.name for pod in namespace.pods() if pod.is_ready and not pod.is_ending}


def _failures(namespace: Namespace) -> set[str]:
    """Return what the cluster tells of setups that failed, also in pods that are gone by now.

    A pod has failed twice when Kubernetes waits before it starts it again, and a Job has failed
    when it tries no more.
    """
    return {
        event["metadata"]["uid"]
        for event in namespace.get("events")["items"]
        if event["reason"] == "BackoffLimitExceeded"
        or (event["reason"] == "BackOff" and "restarting failed" in event["message"])
    }


def markdown(rows: list[Row]) -> str:
    """Return the table."""
    head = ("`setup.mode`", "Helm", "what", "Helm says", "setups", "ready pods", "lost requests")
    lines = [head, ("---",) * len(head), *[tuple(map(str, row)) for row in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
