"""The status as plain values: what the pages are made from."""

from collections.abc import Mapping
from typing import NamedTuple

from pastebox.observe.counters import Totals


class Check(NamedTuple):
    """One condition of readiness, and the fact behind it."""

    name: str
    ok: bool
    fact: str


class PhaseFact(NamedTuple):
    """A phase that is over; ``since`` in seconds since the epoch."""

    phase: str
    since: float
    seconds: float
    detail: str


class SettingFact(NamedTuple):
    """A setting, as text, and where its value came from."""

    name: str
    value: str
    origin: str


class Trouble(NamedTuple):
    """Something that went wrong; ``at`` in seconds since the epoch."""

    at: float
    text: str


class WorkerFact(NamedTuple):
    """A living worker."""

    slot: int
    pid: int
    generation: int
    age_s: float
    is_stuck: bool
    totals: Totals | None


class Snapshot(NamedTuple):
    """Everything at one moment.

    Attributes:
        now: seconds since the epoch.
        phase: the present phase.
        detail: what it is doing.
        since: when it began, in seconds since the epoch.
        began: when the master began, in seconds since the epoch.
        elapsed_s: since then.
        started_after_s: how long the first generation took to be ready; ``None`` before.
        dead_reason: why the service is not live; empty while it is.
        checks: the conditions of readiness.
        spent: seconds in each phase so far, the present one included.
        history: phases that are over, oldest first, the latest ones only.
        generation: number of the serving generation, 0 before the first.
        loading: number of the generation that is being loaded, 0 for none.
        workers: those alive.
        worker_restarts: workers that ended unexpectedly.
        workers_recycled: workers that were replaced after their number of requests.
        reload_failures: generations that did not load while another served.
        drains: begun so far.
        last_drain_s: how long the last one took.
        cut_off: requests that a drain did not wait for.
        totals: the request counters, where there are any.
        ini: path of the INI.
        binds: addresses served.
        settings: for people.
        versions: distribution and version.
        troubles: the latest, oldest first.
        drift: how the configuration's files differ from what is served; empty while they do not.
        drifts: how often they began to.
    """

    now: float
    phase: str
    detail: str
    since: float
    began: float
    elapsed_s: float
    started_after_s: float | None
    dead_reason: str
    checks: tuple[Check, ...]
    spent: Mapping[str, float]
    history: tuple[PhaseFact, ...]
    generation: int
    loading: int
    workers: tuple[WorkerFact, ...]
    worker_restarts: int
    workers_recycled: int
    reload_failures: int
    drains: int
    last_drain_s: float | None
    cut_off: int
    totals: Totals | None
    ini: str
    binds: tuple[str, ...]
    settings: tuple[SettingFact, ...]
    versions: tuple[tuple[str, str], ...]
    troubles: tuple[Trouble, ...]
    drift: str = ""
    drifts: int = 0

    @property
    def load(self) -> str:
        """Say that nobody is free, where that is so: what answers late then is not dead."""
        totals = [one.totals for one in self.workers if one.generation == self.generation]
        if not totals or not all(one is not None and one.is_busy for one in totals):
            return ""
        slots = sum(one.threads for one in totals if one is not None)
        return f"all {slots} request slots are taken"

    @property
    def is_ready(self) -> bool:
        """Whether every check holds."""
        return all(check.ok for check in self.checks)
