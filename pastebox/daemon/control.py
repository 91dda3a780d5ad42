"""What the control socket answers: supervisor's own calls, and ours in a namespace of their own."""

from typing import Any

from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import ProcessStates, SupervisorStates, getProcessStateDescription
from supervisor.xmlrpc import Faults, RPCError

from pastebox.daemon.options import name_of
from pastebox.errors import PasteboxError


def supervisor_interface(supervision: Any) -> "SupervisorCalls":
    """Make supervisor's namespace."""
    return SupervisorCalls(supervision)


def pastebox_interface(supervision: Any) -> "PasteboxCalls":
    """Make ours."""
    return PasteboxCalls(supervision)


class SupervisorCalls(SupervisorNamespaceRPCInterface):  # type: ignore[misc]  # no types
    """Supervisor's calls; ``supervisorctl tail`` reads what is kept in memory instead of files."""

    def _readProcessLog(self, name: str, offset: int, length: int, _channel: str) -> str:  # noqa: N802  # supervisor's
        return _text(self._process(name).tail.read(offset, length))

    def _tailProcessLog(self, name: str, offset: int, length: int, _channel: str) -> list[Any]:  # noqa: N802  # supervisor's
        tail = self._process(name).tail
        overflow = tail.total > offset + length
        start = max(0, tail.total - length) if overflow else offset
        return [_text(tail.read(start, length)), tail.total, overflow]

    def _process(self, name: str) -> Any:
        _, process = self._getGroupAndProcess(name)
        if process is None:
            raise RPCError(Faults.BAD_NAME, name)
        return process


class PasteboxCalls:
    """``pastebox.*``: what ``pastebox ctl`` asks for."""

    def __init__(self, supervision: Any) -> None:
        self._supervision = supervision

    def status(self) -> list[dict[str, Any]]:
        """Return every program with its state, and for how long it has been in it."""
        return [_facts(process) for process in self._supervision.processes()]

    def tail(self, name: str, offset: int, length: int) -> list[Any]:
        """Return what a program wrote from a position on, and the position after it."""
        tail = self._process(name).tail
        return [_text(tail.read(offset, length)), tail.total]

    def reload(self, name: str) -> bool:
        """Have a program read its configuration again; false where it has no signal for that."""
        self._process(name)
        return bool(self._supervision.reload(name))

    def update(self) -> dict[str, list[str]]:
        """Begin to carry out what the configuration says now; return the names that it touches."""
        if self._supervision.options.mood < SupervisorStates.RUNNING:
            raise RPCError(Faults.SHUTDOWN_STATE)
        try:
            done = self._supervision.update()
        except PasteboxError as error:
            raise RPCError(Faults.CANT_REREAD, error.render()) from None
        return {name: list(names) for name, names in done._asdict().items()}

    def is_updating(self) -> bool:
        """Return whether an update waits for the end of a program."""
        return not self._supervision.changes.is_done

    def _process(self, name: str) -> Any:
        for process in self._supervision.processes():
            if name_of(process) == name:
                return process
        raise RPCError(Faults.BAD_NAME, name)


def _facts(process: Any) -> dict[str, Any]:
    return {
        "name": name_of(process),
        "state": getProcessStateDescription(process.state).lower(),
        "age_s": round(process.age_s, 3),
        "pid": process.pid,
        "essential": process.config.essential,
        "starts": process.started,
        "exit": -1 if process.code is None else process.code,
        "reason": process.spawnerr or "",
        "ok": _is_well(process),
    }


def _is_well(process: Any) -> bool:
    """Whether it is as it should be: running, done, or not meant to run."""
    if process.state == ProcessStates.EXITED:
        return process.code in process.config.exitcodes
    if process.state == ProcessStates.STOPPED:
        return not process.laststart and not process.config.autostart
    return bool(process.state == ProcessStates.RUNNING)


def _text(data: bytes) -> str:
    """Return text that XML can hold."""
    text = data.decode("utf-8", "replace")
    return "".join(mark if mark.isprintable() or mark in "\n\t" else "\ufffd" for mark in text)
