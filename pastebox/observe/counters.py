"""Request counters in memory that the master shares with its workers.

Each worker process writes a slot of its own; the master reads all of them without asking.
"""

import mmap
import os
import threading
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple, Self

from pastebox.process.shared import unnamed_file

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the duration histogram, in seconds; one more bucket holds what is longer."""

CLASSES = ("other", "1xx", "2xx", "3xx", "4xx", "5xx")
"""Status classes, by the first digit of the status."""

_STARTED = 0
_BYTES = 1
_MICROSECONDS = 2
_CLASS = 3
_BUCKET = _CLASS + len(CLASSES)
_STUCK = _BUCKET + len(BUCKETS_S) + 1
_THREADS = _STUCK + 1
_FIELDS = _THREADS + 1
_WORD = 8
_AGAIN = 100
"""After so many further requests a spent worker says so again: the message may have been lost."""
_STRIDE = (
    32 * _WORD
)  # a multiple of the cache line: workers on other CPUs do not disturb each other


class Totals(NamedTuple):
    """A reading.

    Attributes:
        classes: finished requests by status class, in the order of :data:`CLASSES`.
        in_flight: requests begun and not finished, in processes that live.
        sent: bytes of response bodies.
        seconds: sum of durations.
        buckets: requests by duration, not cumulative; the last has no upper end.
        stuck: requests that run for longer than they should.
        threads: how many requests can run at a time; 0 where that is not known.
    """

    classes: tuple[int, ...]
    in_flight: int
    sent: int
    seconds: float
    buckets: tuple[int, ...]
    stuck: int = 0
    threads: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether every thread has a request."""
        return 0 < self.threads <= self.in_flight

    @property
    def requests(self) -> int:
        """Finished requests."""
        return sum(self.classes)


class Slot:
    """One worker's writer. Made in the worker, used by any of its threads."""

    def __init__(self, words: memoryview) -> None:
        self._words = words
        self._lock = threading.Lock()

    def started(self) -> None:
        """Count a request whose head has been read."""
        with self._lock:
            self._words[_STARTED] += 1

    @property
    def in_flight(self) -> int:
        """Requests begun and not finished."""
        return max(0, self._words[_STARTED] - sum(self._words[_CLASS:_BUCKET]))

    def show(self, sums: list[int]) -> None:
        """Write what :meth:`Counters.sums` of other counters gave: this process speaks for them.

        How many requests can run at a time is not among it.
        """
        with self._lock:
            self._words[:_THREADS] = memoryview(array("Q", sums[:_THREADS]))

    def show_stuck(self, count: int) -> None:
        """Say how many requests run for longer than they should."""
        self._words[_STUCK] = count

    def show_threads(self, count: int) -> None:
        """Say how many requests can run at a time."""
        self._words[_THREADS] = count

    def finished(self, status: int, size: int, seconds: float) -> None:
        """Count its end: once per :meth:`started`, also when the client went away."""
        words = self._words
        kind = _class_of(status)
        bucket = _BUCKET + bisect_left(BUCKETS_S, seconds)
        with self._lock:
            words[kind] += 1
            words[_BYTES] += max(0, size)
            words[_MICROSECONDS] += max(0, int(seconds * 1e6))
            words[bucket] += 1

    def catch_up(
        self,
        statuses: Sequence[int],
        sizes: Sequence[int],
        durations: Sequence[float],
        *,
        in_flight: int,
    ) -> None:
        """Count what has ended since the last time, and what runs now, all at once.

        For a server that calls this instead of :meth:`started` and :meth:`finished`. The three
        need not be of the same requests.
        """
        kinds = Counter(statuses)
        buckets = Counter(map(bisect_left, repeat(BUCKETS_S), durations))
        words = self._words
        with self._lock:
            for status, count in kinds.items():
                words[_class_of(status)] += count
            for bucket, count in buckets.items():
                words[_BUCKET + bucket] += count
            words[_BYTES] += sum(sizes)
            words[_MICROSECONDS] += int(1e6 * sum(durations))
            words[_STARTED] = sum(words[_CLASS:_BUCKET]) + in_flight


class LimitedSlot(Slot):
    """A slot that tells when ``limit`` requests have been answered; from any thread."""

    def __init__(self, words: memoryview, limit: int, tell: Callable[[], None]) -> None:
        super().__init__(words)
        self._left = limit
        self._tell = tell

    def finished(self, status: int, size: int, seconds: float) -> None:
        """Count the end of a request; the last one of the number is told."""
        super().finished(status, size, seconds)
        self._spend(1)

    def catch_up(
        self,
        statuses: Sequence[int],
        sizes: Sequence[int],
        durations: Sequence[float],
        *,
        in_flight: int,
    ) -> None:
        """Count the ends of many."""
        super().catch_up(statuses, sizes, durations, in_flight=in_flight)
        if statuses:
            self._spend(len(statuses))

    def _spend(self, count: int) -> None:
        with self._lock:
            before, left = self._left, self._left - count
            self._left = left
        if left <= 0 and (before > 0 or -before // _AGAIN < -left // _AGAIN):
            self._tell()


class Counters:
    """All slots, and what is left of workers that have ended.

    ``descriptor`` is the memory as a file without a name; a worker opens it with :meth:`opened`.
    """

    def __init__(self, slots: int, *, descriptor: int | None = None) -> None:
        self.descriptor = unnamed_file(slots * _STRIDE) if descriptor is None else descriptor
        self._memory = memoryview(mmap.mmap(self.descriptor, slots * _STRIDE))
        self._slots = slots
        self._base = [0] * _FIELDS
        self._taken: set[int] = set()

    @classmethod
    def opened(cls, descriptor: int) -> Self:
        """Return the counters behind a descriptor that another process made."""
        return cls(os.fstat(descriptor).st_size // _STRIDE, descriptor=descriptor)

    def take(self) -> int:
        """Reserve the lowest free slot.

        Raises:
            IndexError: all are taken.
        """
        for index in range(self._slots):
            if index not in self._taken:
                self._taken.add(index)
                return index
        raise IndexError(f"all {self._slots} slots are taken")

    def slot(self, index: int, limit: int = 0, tell: Callable[[], None] | None = None) -> Slot:
        """Return the writer of one slot; call it in the worker.

        With a ``limit``, ``tell`` is called once so many requests have been answered.
        """
        self._taken.add(index)
        if tell is None or not limit:
            return Slot(self._words(index))
        return LimitedSlot(self._words(index), limit, tell)

    def retire(self, index: int) -> None:
        """Keep what a worker that has ended counted, and free its slot; twice is harmless.

        What it had in flight is no more.
        """
        words = self._words(index)
        for field in range(_BYTES, _STUCK):
            self._base[field] += words[field]
        self._base[_STARTED] += sum(words[_CLASS:_BUCKET])
        words[:] = memoryview(bytes(_FIELDS * _WORD)).cast("Q")
        self._taken.discard(index)

    def read(self, index: int) -> Totals:
        """Return what one worker has counted."""
        return _totals(self._words(index).tolist())

    def total(self) -> Totals:
        """Return the sum of all workers, past and present; finished counts never fall."""
        return _totals(self.sums())

    def sums(self) -> list[int]:
        """Return the same as plain numbers, for :meth:`Slot.show`."""
        sums = list(self._base)
        for index in range(self._slots):
            for field, value in enumerate(self._words(index)):
                sums[field] += value
        return sums

    def _words(self, index: int) -> memoryview:
        if not 0 <= index < self._slots:
            raise IndexError(f"slot {index} of {self._slots}")
        start = index * _STRIDE
        return self._memory[start : start + _FIELDS * _WORD].cast("Q")


def _class_of(status: int) -> int:
    kind = status // 100
    return _CLASS + (kind if 0 < kind < len(CLASSES) else 0)


def _totals(words: list[int]) -> Totals:
    classes = tuple(words[_CLASS:_BUCKET])
    return Totals(
        classes=classes,
        in_flight=max(0, words[_STARTED] - sum(classes)),
        sent=words[_BYTES],
        seconds=words[_MICROSECONDS] / 1e6,
        buckets=tuple(words[_BUCKET:_STUCK]),
        stuck=words[_STUCK],
        threads=words[_THREADS],
    )
