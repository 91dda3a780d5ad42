"""The errors a user meets, and the exit status each of them ends with."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """The exit status as a contract (docs/reference/exit-codes.md is made from this table)."""

    OK = 0, "done; or drained after TERM or INT"
    FAILURE = 1, "health says no; or an unexpected failure, whose traceback is in the log"
    USAGE = 2, "the command line cannot be understood"
    UNAVAILABLE = 69, "a server, an extra or a dependency is not there, or not in time"
    APP_FAILED = 70, "the application failed to load or to set up; its own traceback is in the log"
    CANNOT_CREATE = 73, "a file, a socket or a pid file cannot be created"
    TEMPORARY = 75, "try again: the lock is busy, or a setup was left half done"
    NO_PERMISSION = 77, "permission denied; the message has the ownership to apply"
    CONFIG = 78, "the configuration is wrong; the message has the file and the line"
    DRAIN_TIMEOUT = 124, "the drain deadline cut requests off"

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Make a member that is its number and carries its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class PasteboxError(Exception):
    """A failure that a user can act on: where it is, what was found, what to do.

    The sentence is either ``message``, or is made from ``found`` and ``expected``.
    """

    exit_code = ExitCode.FAILURE

    def __init__(
        self,
        message: str = "",
        *,
        file: str | None = None,
        line: int | None = None,
        section: str | None = None,
        option: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.section = section
        self.option = option
        self.found = found
        self.expected = expected
        self.hint = hint

    @property
    def place(self) -> str:
        """Where it is: ``file:line [section] option``, as much of it as is known."""
        where = self.file or ""
        if where and self.line:
            where += f":{self.line}"
        parts = [where, f"[{self.section}]" if self.section else "", self.option or ""]
        return " ".join(part for part in parts if part)

    def __str__(self) -> str:
        sentence = self.message
        facts = []
        if self.found is not None:
            facts.append(f"found {self.found}")
        if self.expected is not None:
            facts.append(f"expected {self.expected}")
        if facts:
            sentence = f"{sentence}: {', '.join(facts)}" if sentence else ", ".join(facts)
        return f"{self.place}: {sentence}" if self.place else sentence

    def render(self) -> str:
        """Return the text for a terminal or a log: one line, and a line for the hint."""
        text = f"error: {self}"
        if self.hint:
            text += "".join(f"\n  hint: {line}" for line in self.hint.splitlines())
        return text


class UsageError(PasteboxError):
    """The command line cannot be understood."""

    exit_code = ExitCode.USAGE


class UnavailableError(PasteboxError):
    """A server, an extra or a dependency is not there, or did not come in time."""

    exit_code = ExitCode.UNAVAILABLE


class AppError(PasteboxError):
    """The application failed to load or to set up.

    Raised ``from`` the application's own exception, whose traceback is shown with our
    frames cut off.
    """

    exit_code = ExitCode.APP_FAILED


class CannotCreateError(PasteboxError):
    """A file, a socket or a pid file cannot be created."""

    exit_code = ExitCode.CANNOT_CREATE


class TemporaryError(PasteboxError):
    """Trying again later may work: a busy lock, a setup left half done."""

    exit_code = ExitCode.TEMPORARY


class NoPermissionError(PasteboxError):
    """The operating system says no; the hint has the ownership or right to give."""

    exit_code = ExitCode.NO_PERMISSION


class ConfigError(PasteboxError):
    """The configuration is wrong, in a place that the error names."""

    exit_code = ExitCode.CONFIG
