"""All workers: generations that load, serve and drain, and the replacement of those that die."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from pastebox.errors import ExitCode
from pastebox.master.budget import RestartBudget
from pastebox.master.generation import Generation, State
from pastebox.master.prepare import Prepared
from pastebox.master.worker import Ahead, Worker, close_all, start_worker
from pastebox.observe.counters import Counters
from pastebox.observe.status import Status
from pastebox.process.loop import Loop
from pastebox.process.notify import Message
from pastebox.process.signals import describe_status, exit_code_of
from pastebox.settings import Settings

log = logging.getLogger("pastebox.master")

_LOADERS_KILLED_AFTER_S = 2.0
"""How long a worker that is not ready may go on after it was told to end."""


_DEVELOPER_S = 86400.0
"""How long a developer may stand in a debugger while newer code serves."""


def patience_s(settings: Settings) -> float:
    """Return how long a generation may finish its requests when the next one serves."""
    return _DEVELOPER_S if settings.dev else settings.drain_timeout


class Observer(Protocol):
    """Who is told what becomes of the workers."""

    def generation_serves(self, generation: Generation, before: Generation | None) -> None:
        """Every worker of ``generation`` is ready; ``before`` has been told to drain."""
        ...

    def reload_failed(self, code: int) -> None:
        """A generation did not load; the one that serves goes on."""
        ...

    def workers_failed(self, code: int) -> None:
        """Nothing can serve any more; ``code`` is the worker's own exit status."""
        ...

    def nobody_accepts(self) -> None:
        """While stopping, the last worker has taken what waited to be accepted."""
        ...

    def workers_gone(self) -> None:
        """The last worker has ended while stopping."""
        ...

    def all_drained(self) -> None:
        """No generation is left, though nothing stops: a reload waits for the address."""
        ...

    def settled(self) -> None:
        """One generation is left, and serves."""
        ...


class Fleet:
    """The generations, the newest last."""

    def __init__(
        self,
        loop: Loop,
        status: Status,
        observer: Observer,
        *,
        notify_address: str,
        in_child: Callable[[], None],
        early: Worker,
    ) -> None:
        self.generations: list[Generation] = []
        self.is_stopping = False
        self.cut = 0
        self.most_workers = 0  # of one generation: there is no room to count more
        self._loop = loop
        self._status = status
        self._observer = observer
        self._notify_address = notify_address
        self._in_child = in_child
        self._early: Worker | None = early
        self._counters: Counters | None = None
        self._budget = RestartBudget(0)
        self._number = 0
        self._first_cpu = int.from_bytes(os.urandom(4), "big")  # many containers share the CPUs

    # -- what the master asks --------------------------------------------------------------

    @property
    def serving(self) -> Generation | None:
        """The generation that serves, if one does."""
        return next((one for one in self.generations if one.state is State.SERVING), None)

    def start(self, prepared: Prepared, sockets: Sequence[socket.socket]) -> Generation:
        """Fork the workers of a new generation."""
        if self._counters is None:
            # two generations at a time, and replacements while their predecessors still count
            slots = 4 * prepared.processes + 8
            self.most_workers = slots // 2
            self._counters = Counters(slots)
            self._status.counters = self._counters
            self._budget = RestartBudget(prepared.settings.worker_restarts)
        number = self._number = self._number + 1
        generation = Generation(number, prepared, sockets)
        if prepared.settings.max_requests and prepared.runner.info.recycling is None:
            from pastebox.master.recycling import Recycling  # noqa: PLC0415  # only where it is on

            generation.recycling = Recycling(self._loop, self._status, generation, self._successor)
        self.generations.append(generation)
        self._status.generation_started(number)
        for place in range(prepared.processes):
            self._start_worker(generation, place)
        return generation

    def drain(self, generation: Generation, seconds: float) -> None:
        """Have its workers stop accepting and end within ``seconds``; those that load, at once."""
        generation.order_drain(seconds)
        self._kill_loaders_later(generation)

    def dismiss(self, generation: Generation) -> None:
        """End the workers of a generation that will not be needed."""
        generation.dismiss()
        self._kill_loaders_later(generation)

    def _kill_loaders_later(self, generation: Generation) -> None:
        loaders = [worker for worker in generation.workers.values() if not worker.is_ready]

        def kill() -> None:
            for worker in loaders:
                if not worker.is_ready and worker.pid in generation.workers:
                    worker.signal(signal.SIGKILL)

        if loaders:
            self._loop.call_later(_LOADERS_KILLED_AFTER_S, kill)

    def keep_spare(self, ahead: Ahead) -> None:
        """Have a blank worker at hand for the next generation; ``ahead`` is called in it."""
        if self._early is None and not self.is_stopping:
            self._early = start_worker(self._in_child, ahead)

    def spare_ended(self, pid: int) -> None:
        """Forget the blank worker, if it is the one that ended."""
        if self._early is not None and self._early.pid == pid:
            self._early.orders.close()
            self._early = None

    def supersede(self) -> None:
        """End a generation that loads: what it loads has changed again."""
        for generation in self.generations:
            if generation.state is State.LOADING:
                generation.state = State.DRAINING
                generation.has_failed = True
                generation.signal(signal.SIGKILL)

    def find(self, pid: int) -> tuple[Generation, Worker] | None:
        """Return the worker with this pid."""
        for generation in self.generations:
            if pid in generation.workers:
                return generation, generation.workers[pid]
        return None

    def close_orders_in_child(self) -> None:
        """Close every worker's orders: their end must mean that the master is gone."""
        if self._early is not None:
            self._early.orders.close()
        for generation in self.generations:
            close_all(worker.orders for worker in generation.workers.values())

    def kill_all(self) -> None:
        """End every worker at once and collect it; for the end of the master."""
        if self._early is not None:
            self._early.dismiss()
        for generation in self.generations:
            generation.signal(signal.SIGKILL)
            for worker in generation.workers.values():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(worker.pid, 0)

    # -- what happens to workers -----------------------------------------------------------

    def hear(self, message: Message) -> None:
        """Take what a worker says of itself."""
        found = self.find(message.pid)
        if found is None:
            return
        generation, worker = found
        fields = message.fields
        self._worker_cut(generation, worker, fields.get("X_PASTEBOX_CUT", "0"))
        if "WATCHDOG" in fields:
            self._status.worker_heartbeat(worker.pid)
        if fields.get("STOPPING") == "1":
            worker.is_accepting = False
            self._look_at_acceptance()
        if fields.get("READY") == "1":
            self._worker_ready(generation, worker)
        if "X_PASTEBOX_SPENT" in fields and generation.recycling is not None:
            generation.recycling.spent(worker)

    def _worker_ready(self, generation: Generation, worker: Worker) -> None:
        """Take a worker's READY; the last one of a generation makes it serve."""
        worker.is_ready = True
        if generation.state is State.SERVING and generation.recycling and not self.is_stopping:
            generation.recycling.ready(worker)
        if self.is_stopping or generation.state is not State.LOADING or not generation.is_ready:
            return
        before = self.serving
        generation.state = State.SERVING
        self._status.generation_ready(generation.number)
        if before is not None:
            self.drain(before, patience_s(generation.prepared.settings))
        self._observer.generation_serves(generation, before)
        if before is not None and not before.workers:  # the last one died, and had no successor yet
            self._remove(before)
        self._look_around()

    def _worker_cut(self, generation: Generation, worker: Worker, count: str) -> None:
        """Take a worker's word about the requests that its drain did not wait for."""
        if not count.isdecimal():
            return
        if worker.is_leaving and generation.state is State.SERVING and not self.is_stopping:
            self._status.cut_off(int(count))
        else:
            generation.cut += int(count)

    def drop_empty(self) -> None:
        """Forget generations without workers: nothing of theirs will end any more."""
        self.generations = [one for one in self.generations if one.workers]

    def worker_ended(self, generation: Generation, worker: Worker, status: int) -> None:
        """Act on the end of a worker, whatever the reason."""
        del generation.workers[worker.pid]
        worker.orders.close()
        is_recycled = (
            generation.state is State.SERVING
            and not self.is_stopping
            and generation.recycling is not None
            and generation.recycling.ended(worker, status)
        )
        told = describe_status(status)
        self._status.worker_ended(worker.slot, worker.pid, told, is_expected=is_recycled)
        if is_recycled:
            return
        if self.is_stopping or generation.state is State.DRAINING:
            self._drained(generation, worker, status)
            self._look_at_acceptance()
        elif generation.state is State.LOADING:
            self._failed_to_load(generation, status)
        else:
            self._replace(generation, worker, status)

    def _drained(self, generation: Generation, worker: Worker, status: int) -> None:
        code = exit_code_of(status)
        if code == ExitCode.DRAIN_TIMEOUT:
            generation.cut = max(generation.cut, 1)
        elif code and worker.is_ready and generation.state is State.DRAINING:
            log.warning("worker ended badly pid=%d %s", worker.pid, describe_status(status))
        if not generation.workers:
            self._remove(generation)

    def _remove(self, generation: Generation) -> None:
        self.generations.remove(generation)
        if self.is_stopping:
            self.cut += generation.cut
            if not self.generations:
                self._observer.workers_gone()
            return
        self._status.cut_off(generation.cut)
        if not generation.has_failed:
            told = f" cut={generation.cut}" if generation.cut else ""
            log.info("generation %d drained%s", generation.number, told)
        self._look_around()

    def _look_around(self) -> None:
        if not self.generations:
            self._observer.all_drained()
        if len(self.generations) == 1 and self.serving is not None:
            self._observer.settled()

    def _look_at_acceptance(self) -> None:
        workers = [one for generation in self.generations for one in generation.workers.values()]
        if self.is_stopping and not any(worker.is_accepting for worker in workers):
            self._observer.nobody_accepts()

    def _failed_to_load(self, generation: Generation, status: int) -> None:
        reason = describe_status(status)
        self._status.generation_failed(generation.number, reason)
        generation.state = State.DRAINING
        generation.has_failed = True
        generation.signal(signal.SIGKILL)
        if self.serving is None:
            self.drop_empty()
            self._observer.workers_failed(exit_code_of(status))
            return
        log.error(
            "generation %d failed to load, the one before goes on: %s", generation.number, reason
        )
        self._observer.reload_failed(exit_code_of(status))
        if not generation.workers:
            self._remove(generation)

    def _replace(self, generation: Generation, worker: Worker, status: int) -> None:
        delay = self._budget.spend()
        log.error("worker died pid=%d %s", worker.pid, describe_status(status))
        if delay is None:
            log.error("giving up: workers died too often")
            self._observer.workers_failed(exit_code_of(status))
            return
        log.info("a new worker starts in %.1f s", delay)
        self._loop.call_later(delay, lambda: self._start_replacement(generation))

    def _start_replacement(self, generation: Generation) -> None:
        place = generation.free_place()
        if place is not None:
            self._successor(generation, place)

    def _successor(self, generation: Generation, place: int) -> Worker | None:
        if self.is_stopping or generation.state is not State.SERVING:
            return None
        return self._start_worker(generation, place)

    def _start_worker(self, generation: Generation, place: int) -> Worker:
        assert self._counters is not None  # noqa: S101  # made with the first generation
        slot = self._counters.take()
        worker, self._early = self._early or start_worker(self._in_child), None
        job = generation.prepared.job(
            slot=slot,
            generation=generation.number,
            notify_address=self._notify_address,
            cpu=self._first_cpu + place,
            request_limit=generation.recycling.limit() if generation.recycling else 0,
        )
        worker.place = place
        worker.give(job, self._counters.descriptor, generation.sockets)
        generation.workers[worker.pid] = worker
        self._status.worker_started(slot, worker.pid, generation.number)
        return worker
