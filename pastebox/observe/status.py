"""What the master knows about itself: phase, generations, workers, drains; ready, live or not."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from pastebox.observe.counters import Counters
from pastebox.observe.drift import DriftNote
from pastebox.observe.snapshot import (
    Check,
    PhaseFact,
    SettingFact,
    Snapshot,
    Trouble,
    WorkerFact,
)

STARTING = "starting"
WAITING = "waiting"
MAKE_CONFIG = "make-config"
SETUP_APP = "setup-app"
HOOK = "hook"
LOADING = "loading"
SERVING = "serving"
SLEEPING = "sleeping"
DRAINING = "draining"
STOPPED = "stopped"
FAILED = "failed"
PHASES = (
    STARTING,
    WAITING,
    MAKE_CONFIG,
    SETUP_APP,
    HOOK,
    LOADING,
    SERVING,
    SLEEPING,
    DRAINING,
    STOPPED,
    FAILED,
)

CRASH_LOOP_DEATHS = 3
CRASH_LOOP_S = 60.0
"""So many workers dead within so many seconds are a crash loop."""

_KEPT_PHASES = 32
_KEPT_TROUBLES = 10


class _Worker:
    """A living worker process."""

    __slots__ = ("began", "generation", "heartbeat", "pid", "slot")

    def __init__(self, slot: int, pid: int, generation: int, began: float) -> None:
        self.slot = slot
        self.pid = pid
        self.generation = generation
        self.began = began
        self.heartbeat: float | None = None


class Status:
    """The facts, as the master reports them, and the judgements that follow from them.

    Args:
        clock: monotonic seconds.
        wall: seconds since the epoch.
        watchdog_s: a worker of the serving generation that has sent heartbeats and then none
            for so long is stuck.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        wall: Callable[[], float] = time.time,
        watchdog_s: float = 30.0,
    ) -> None:
        self.counters: Counters | None = None
        """Set by the master once it knows how many workers there can be."""
        self.drift = DriftNote()
        self._clock = clock
        self._wall = wall
        self._watchdog_s = watchdog_s
        self._began = clock()
        self._began_wall = wall()
        self._phase = STARTING
        self._detail = ""
        self._phase_began = self._began
        self._history: deque[PhaseFact] = deque(maxlen=_KEPT_PHASES)
        self._spent: dict[str, float] = {}
        self._troubles: deque[Trouble] = deque(maxlen=_KEPT_TROUBLES)
        self._started_after: float | None = None
        self._loading = 0
        self._serving: int | None = None
        self._workers: dict[int, _Worker] = {}
        self._deaths: deque[float] = deque(maxlen=CRASH_LOOP_DEATHS)
        self._restarts = self._recycled = 0
        self._reload_failures = 0
        self._drain_began: float | None = None
        self._drains = self._cut = 0
        self._last_drain_s: float | None = None
        self._ini = ""
        self._binds: tuple[str, ...] = ()
        self._settings: tuple[SettingFact, ...] = ()
        self._versions: tuple[tuple[str, str], ...] = ()

    # What the master reports.

    def enter(self, phase: str, detail: str = "") -> None:
        """Begin a phase; entering the present one again only changes its detail.

        Raises:
            ValueError: not one of :data:`PHASES`.
        """
        if phase not in PHASES:
            raise ValueError(phase)
        if phase != self._phase:
            now = self._clock()
            seconds = now - self._phase_began
            self._history.append(
                PhaseFact(self._phase, self._at(self._phase_began), seconds, self._detail)
            )
            self._spent[self._phase] = self._spent.get(self._phase, 0.0) + seconds
            self._phase, self._phase_began = phase, now
        self._detail = detail
        if phase in (SERVING, SLEEPING):
            self._mark_started()

    def progress(self, detail: str) -> None:
        """Say what the present phase is doing."""
        self._detail = detail

    def trouble(self, text: str) -> None:
        """Keep something that went wrong for the status page."""
        self._troubles.append(Trouble(self._wall(), text))

    def generation_started(self, number: int) -> None:
        """Workers of a new generation are about to be forked."""
        self._loading = number

    def generation_ready(self, number: int) -> None:
        """The generation serves; the one before, if any, is on its way out."""
        self._serving = number
        self._deaths.clear()
        self._mark_started()

    def generation_failed(self, number: int, reason: str) -> None:
        """The generation did not load; the one before goes on."""
        if self._serving is not None and number != self._serving:
            self._reload_failures += 1
            self._loading = self._serving
        self.trouble(f"generation {number} failed: {reason}")

    def worker_started(self, slot: int, pid: int, generation: int | None = None) -> None:
        """A worker was forked, for the generation that was started last unless it is given."""
        number = self._loading if generation is None else generation
        self._workers[pid] = _Worker(slot, pid, number, self._clock())

    def worker_recycled(self) -> None:
        """A worker that has answered its number of requests has a successor that serves."""
        self._recycled += 1

    def worker_ended(
        self, slot: int, pid: int, description: str, *, is_expected: bool = False
    ) -> None:
        """A worker is gone. It was unexpected if its generation serves and nothing drains."""
        worker = self._workers.pop(pid, None)
        if self.counters is not None:
            self.counters.retire(slot)
        if is_expected or worker is None or self.is_draining or worker.generation != self._current:
            return
        self._restarts += 1
        self._deaths.append(self._clock())
        self.trouble(f"worker {pid} ended: {description}")

    def worker_heartbeat(self, pid: int) -> None:
        """A worker says that its server loop turns."""
        worker = self._workers.get(pid)
        if worker is not None:
            worker.heartbeat = self._clock()

    def drain_started(self) -> None:
        """The service is being stopped: it is not ready from now on."""
        if self._drain_began is None:
            self._drain_began = self._clock()
            self._drains += 1
        if self._phase not in (DRAINING, STOPPED, FAILED):
            self.enter(DRAINING)

    def drain_ended(self, cut: int) -> None:
        """The drain is over, and ``cut`` requests did not finish."""
        if self._drain_began is not None:
            self._last_drain_s = self._clock() - self._drain_began
            self._drain_began = None
        self._cut += cut

    def cut_off(self, count: int) -> None:
        """Count requests that the drain of a replaced generation did not wait for."""
        self._cut += count

    def set_facts(
        self,
        *,
        ini: str | None = None,
        binds: Sequence[str] | None = None,
        settings: Sequence[tuple[str, str, str]] | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Give what the status page shows; what is not given stays.

        Args:
            ini: path of the INI.
            binds: addresses, as text.
            settings: rows of name, value and origin, without secrets.
            versions: distribution to version.
        """
        if ini is not None:
            self._ini = ini
        if binds is not None:
            self._binds = tuple(binds)
        if settings is not None:
            self._settings = tuple(SettingFact(*row) for row in settings)
        if versions is not None:
            self._versions = tuple(versions.items())

    # What follows.

    @property
    def phase(self) -> str:
        """The present phase."""
        return self._phase

    @property
    def is_draining(self) -> bool:
        """Whether the service is being stopped, or is."""
        return self._drain_began is not None or self._phase in (DRAINING, STOPPED, FAILED)

    @property
    def started(self) -> bool:
        """Whether a generation has ever been ready."""
        return self._started_after is not None

    @property
    def live(self) -> bool:
        """Whether a restart of the whole container would not help."""
        return not self.dead_reason

    @property
    def dead_reason(self) -> str:
        """Why not live: a stuck worker or a crash loop; empty while live."""
        now = self._clock()
        for worker in self._workers.values():
            if self._is_stuck(worker, now):
                silence = now - (worker.heartbeat or now)
                return f"worker {worker.pid} is stuck: no heartbeat for {silence:.0f} s"
        if len(self._deaths) == CRASH_LOOP_DEATHS and now - self._deaths[0] <= CRASH_LOOP_S:
            return f"crash loop: {CRASH_LOOP_DEATHS} workers died within {CRASH_LOOP_S:.0f} s"
        return ""

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here, as far as the master knows."""
        return all(check.ok for check in self.checks())

    def checks(self) -> tuple[Check, ...]:
        """Return what readiness consists of, in the order in which it comes about."""
        alive = self._alive_serving()
        phase = f"phase {self._phase}"
        is_serving = self._serving is not None and self._phase not in (STOPPED, FAILED)
        return (
            Check("started", self.started, phase),
            Check("listener", is_serving, ", ".join(self._binds) if is_serving else phase),
            Check("workers", alive > 0, f"{alive} alive"),
            Check("draining", not self.is_draining, phase if self.is_draining else "no"),
        )

    def snapshot(self) -> Snapshot:
        """Return everything as a value, for the pages."""
        now = self._clock()
        spent = dict(self._spent)
        spent[self._phase] = spent.get(self._phase, 0.0) + now - self._phase_began
        return Snapshot(
            now=self._wall(),
            phase=self._phase,
            detail=self._detail,
            since=self._at(self._phase_began),
            began=self._began_wall,
            elapsed_s=now - self._began,
            started_after_s=self._started_after,
            dead_reason=self.dead_reason,
            checks=self.checks(),
            spent=spent,
            history=tuple(self._history),
            generation=self._serving or 0,
            loading=self._loading if self._loading != self._serving else 0,
            workers=tuple(self._worker_fact(worker, now) for worker in self._workers.values()),
            worker_restarts=self._restarts,
            workers_recycled=self._recycled,
            reload_failures=self._reload_failures,
            drains=self._drains,
            last_drain_s=self._last_drain_s,
            cut_off=self._cut,
            totals=self.counters.total() if self.counters is not None else None,
            ini=self._ini,
            binds=self._binds,
            settings=self._settings,
            versions=self._versions,
            troubles=tuple(self._troubles),
            drift=self.drift.text,
            drifts=self.drift.count,
        )

    @property
    def _current(self) -> int:
        """The generation whose deaths count: the serving one, the first one before that."""
        return self._loading if self._serving is None else self._serving

    def _alive_serving(self) -> int:
        return sum(worker.generation == self._serving for worker in self._workers.values())

    def _is_stuck(self, worker: _Worker, now: float) -> bool:
        return (
            worker.heartbeat is not None
            and worker.generation == self._serving
            and not self.is_draining
            and now - worker.heartbeat > self._watchdog_s
        )

    def _worker_fact(self, worker: _Worker, now: float) -> WorkerFact:
        return WorkerFact(
            slot=worker.slot,
            pid=worker.pid,
            generation=worker.generation,
            age_s=now - worker.began,
            is_stuck=self._is_stuck(worker, now),
            totals=self.counters.read(worker.slot) if self.counters is not None else None,
        )

    def _mark_started(self) -> None:
        if self._started_after is None:
            self._started_after = self._clock() - self._began

    def _at(self, moment: float) -> float:
        """Turn a monotonic moment into one of the wall clock."""
        return self._wall() - (self._clock() - moment)
