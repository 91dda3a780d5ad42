"""What comes of each way to set up, to install and to upgrade; the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
FAILS_AFTER_S = 45
"""Time that Helm has where nothing can come of it."""

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
    namespace: Namespace, values: Mapping[str, Any], mode: str, flags: str
) -> Iterator[Row]:
    """Install, upgrade without and with a migration, and with one that fails."""
    given = merged(values, {"setup": MODES[mode], "service": {"type": "NodePort"}, "replicas": 2})
    events = {
        "first installation": {},
        "upgrade": {"env": {"TURN": "1"}},
        "upgrade with a migration": {"config": {"overlays": {"o.ini": _overlay("1")}}},
        "migration that fails": {"config": {"overlays": {"o.ini": _overlay("wrong")}}},
    }
    done = 0
    for event, more in events.items():
        given = merged(given, more)
        fails = event == "migration that fails"
        before = {pod.name for pod in namespace.pods()}
        lost = ""
        if before:
            (port,) = namespace.get("service", "wiki-pastebox")["spec"]["ports"]
            with ServiceLoad(node_address(), port["nodePort"], _READERS) as load:
                helm = _helm(namespace, given, flags, fails=fails, is_first=False)
                serving = _serving(namespace, before, fails=fails)
                load.wait_for(20)
            lost = str(len(load.failures))
        else:
            helm = _helm(namespace, given, flags, fails=fails, is_first=True)
            serving = _serving(namespace, before, fails=fails)
        total = int(ask(namespace, "SELECT count(finished_at) FROM setup_run")[0])
        yield Row(mode, flags, event, helm, total - done, serving, lost)
        done = total


def _overlay(delay: str) -> str:
    return f"[app:main]\nwiki.setup_delay = {delay}\n"


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


def _serving(namespace: Namespace, before: set[str], *, fails: bool) -> str:
    """Wait until the pods have come to rest: the new ones serve, or cannot."""
    if not fails:
        namespace.rolled_out("deployment/wiki-pastebox")
        namespace.serving(2)
    else:
        wait_until(lambda: _has_come_to_rest(namespace, before), "a failed setup", PATIENCE_S)
    ready = [pod.name for pod in namespace.pods() if pod.is_ready and not pod.is_ending]
    old = sum(name in before for name in ready)
    told = [f"{old} old" if old else "", f"{len(ready) - old} new" if len(ready) > old else ""]
    return ", ".join(filter(None, told)) or "none"


def _has_come_to_rest(namespace: Namespace, before: set[str]) -> bool:
    """Whether a setup has failed, and the old pods are the ready ones, two of them."""
    pods = namespace.pods()
    failed = [pod for pod in pods if pod.restarts] + namespace.pods("setup")
    if not failed:
        return False
    ready = {pod.name for pod in pods if pod.is_ready and not pod.is_ending}
    return len(ready & before) == 2 and ready <= before


def markdown(rows: list[Row]) -> str:
    """Return the table."""
    head = ("`setup.mode`", "Helm", "what", "Helm says", "setups", "ready pods", "lost requests")
    lines = [head, ("---",) * len(head), *[tuple(map(str, row)) for row in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
