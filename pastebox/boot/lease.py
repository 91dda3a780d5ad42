"""The lock of several pods: a Lease of Kubernetes, and beside it the journal, as an annotation.

Clocks of two machines are never compared. Who waits watches the Lease by its own clock: when
nothing in it has changed for as long as it lasts, its holder is gone. The fencing token is the
Lease's count of transitions, and a write is taken only by the version that was read, so whoever
was overtaken cannot write.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from pastebox.boot.kubernetes import ConflictError, Lease, Leases
from pastebox.boot.lock import Held, HeldWithoutIni, Place, WithoutIni
from pastebox.boot.patience import AwayError, Patience, RefusedError, Terms, ask
from pastebox.boot.renewer import Renewer
from pastebox.errors import TemporaryError
from pastebox.process.deadline import Deadline

LASTS_S = 15
RENEW_S = 5.0
_RETRY_S = 0.5
JOURNAL = "pastebox/journal"
_LOST = "another pod has the Lease now, or it could not be renewed in time"
_TERMS = Terms(
    lock="Lease",
    server="API server",
    who="this pod",
    hint="its service account must be let get, create and update leases:"
    " rbac.create: true in the values of the chart",
)


class LeaseLock(WithoutIni):
    """A Lease as the lock. ``timeout_s`` is how long reading waits for the server."""

    look_again_s = 1.0
    keeps_ini: Place = "nowhere"
    lasts_s = LASTS_S
    renew_s = RENEW_S
    retry_s = _RETRY_S

    def __init__(self, leases: Leases, timeout_s: float) -> None:
        self._leases = leases
        self._timeout_s = timeout_s

    def acquire(self, deadline: Deadline, on_wait: Callable[[str], None]) -> Held:
        """See :class:`pastebox.boot.lock.Lock`; also where the server is away until the deadline.

        Raises:
            UnavailableError: the server did not answer until then.
        """
        identity = f"{os.uname().nodename}_{os.getpid()}_{os.urandom(4).hex()}"
        watch = Watch(self.lasts_s, deadline.clock)
        patience = Patience(_TERMS, self._leases.name, deadline, on_wait)
        while True:
            asked = deadline.clock()
            try:
                lease = self._leases.get()
                if lease is None:
                    return self._hold(self._leases.create(self._taken({}, identity)), asked)
                if not _holder(lease) or watch.is_gone(lease):
                    return self._hold(self._leases.update(self._taken(lease, identity)), asked)
                patience.busy(_holder(lease))
            except ConflictError:
                patience.busy("another start")
            except RefusedError as error:
                patience.refused(error)
            except AwayError as error:
                patience.away(error)
            time.sleep(min(self.retry_s, deadline.remaining + 0.001))

    def recall(self, on_wait: Callable[[str], None]) -> bytes | None:
        """Return the journal that is kept in the Lease.

        Raises:
            UnavailableError: the server did not answer in time.
            NoPermissionError: it does not let us.
        """
        return ask(
            lambda: _journal(self._leases.get()),
            _TERMS,
            self._leases.name,
            self._timeout_s,
            on_wait,
            pause_s=self.retry_s,
        )

    def _taken(self, lease: Lease, identity: str) -> Lease:
        spec = lease.get("spec") or {}
        now = _now()
        return {
            **lease,
            "spec": {
                **spec,
                "holderIdentity": identity,
                "leaseDurationSeconds": self.lasts_s,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + 1,
            },
        }

    def _hold(self, lease: Lease, asked: float) -> _HeldLease:
        return _HeldLease(self._leases, lease, asked, self.lasts_s, self.renew_s)


class _HeldLease(HeldWithoutIni):
    """A Lease that was taken; a child of its own renews it for as long as this start lives."""

    proves_death = False
    lost = _LOST

    def __init__(
        self, leases: Leases, lease: Lease, asked: float, lasts_s: int, renew_s: float
    ) -> None:
        self._leases = leases
        self._identity = _holder(lease)
        self._lasts_s = lasts_s
        self.token = int(lease["spec"]["leaseTransitions"])
        self._renewer: Renewer | None = Renewer(
            self._renew, started=asked, every_s=renew_s, gives_up_s=lasts_s * 2 / 3
        )

    def still_held(self) -> bool:
        """Whether the last renewal was in time; a write asks the server as well."""
        return self._renewer is not None and self._renewer.is_at_work()

    def remember(self, content: bytes) -> None:
        """Keep the journal in the Lease.

        Raises:
            TemporaryError: the Lease is somebody else's, or the server did not answer while it
                was ours.
        """
        deadline = Deadline.after(self._lasts_s)
        reason = "somebody else writes to it all the time"
        while not deadline.has_passed:
            try:
                if not self._change(
                    lambda lease: (
                        lease["metadata"]
                        .setdefault("annotations", {})
                        .__setitem__(JOURNAL, content.decode())
                    )
                ):
                    break
            except ConflictError:
                continue
            except (AwayError, RefusedError) as error:
                reason = str(error)
                time.sleep(_RETRY_S)
            else:
                return
        else:
            raise TemporaryError(f"the Lease {self._leases.name} cannot be written: {reason}")
        raise TemporaryError(
            "the lock was taken away during first boot; nothing more is written", hint=_LOST
        )

    def release(self) -> None:
        """Give it back; a server that is away keeps it until it has run out."""
        if self._renewer is None:
            return
        self._renewer.stop()
        self._renewer = None
        for _ in range(3):
            try:
                self._change(
                    lambda lease: lease["spec"].update(holderIdentity="", renewTime=_now())
                )
            except ConflictError:
                continue
            except (AwayError, RefusedError):
                pass
            return

    def _renew(self) -> bool:
        """Renew it once; false where it is not ours any more. For the child.

        Raises:
            AwayError: it may work the next time.
        """
        try:
            return self._change(lambda lease: lease["spec"].update(renewTime=_now()))
        except (ConflictError, RefusedError) as error:
            raise AwayError(str(error)) from error

    def _change(self, change: Callable[[Lease], None]) -> bool:
        lease = self._leases.get()
        if lease is None or not self._is_ours(lease):
            return False
        change(lease)
        self._leases.update(lease)
        return True

    def _is_ours(self, lease: Lease) -> bool:
        transitions = int((lease.get("spec") or {}).get("leaseTransitions") or 0)
        return _holder(lease) == self._identity and transitions == self.token


class Watch:
    """Sees that a Lease does not change any more, by the clock of who waits."""

    def __init__(self, lasts_s: int, clock: Callable[[], float]) -> None:
        self._lasts_s = lasts_s
        self._clock = clock
        self._seen: object = None
        self._since = 0.0

    def is_gone(self, lease: Lease) -> bool:
        """Whether it has been the same for as long as it lasts, as its holder says."""
        version = lease.get("metadata", {}).get("resourceVersion")
        if version != self._seen:
            self._seen, self._since = version, self._clock()
        lasts_s = int(lease["spec"].get("leaseDurationSeconds") or self._lasts_s)
        return self._clock() - self._since > lasts_s


def _holder(lease: Lease) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _journal(lease: Lease | None) -> bytes | None:
    annotations = (lease or {}).get("metadata", {}).get("annotations") or {}
    text = annotations.get(JOURNAL)
    return None if text is None else str(text).encode()


def _now() -> str:
    """Return a MicroTime; for people, and so that every renewal is a change."""
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06}Z"
