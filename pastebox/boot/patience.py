"""What is said while a lock's server or its holder lets us wait, and what is raised in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pastebox.boot.lock import PROGRESS_S
from pastebox.errors import NoPermissionError, TemporaryError, UnavailableError
from pastebox.process.deadline import Deadline

T = TypeVar("T")

_REFUSALS_S = 15.0
"""How long a refusal may pass: a start can be faster than the rights that come with it."""
_HOW_LONG = "PASTEBOX_LOCK_TIMEOUT says how long to wait"


class RefusedError(Exception):
    """The server does not let us; the argument is its sentence."""


class AwayError(Exception):
    """No answer, or one that says "later"; the argument is the reason."""


class Terms(NamedTuple):
    """What things are called.

    Attributes:
        lock: what is taken, such as ``Lease``.
        server: who has it.
        who: who needs the right to take it.
        hint: how to give that right.
    """

    lock: str
    server: str
    who: str
    hint: str


class Patience:
    """One wait: for the lock of this name, until the deadline."""

    def __init__(
        self, terms: Terms, name: str, deadline: Deadline, on_wait: Callable[[str], None]
    ) -> None:
        self._terms = terms
        self._what = f"the {terms.lock} {name}"
        self._deadline = deadline
        self._on_wait = on_wait
        self._next_word = deadline.clock()
        self._refusals: Deadline | None = None

    def ask(self, question: Callable[[], T], pause_s: float) -> T:
        """Return the answer to a question that is asked again while the server is not to be had.

        Raises:
            NoPermissionError, UnavailableError: see :meth:`refused` and :meth:`away`.
        """
        while True:
            try:
                return question()
            except RefusedError as error:
                self.refused(error)
            except AwayError as error:
                self.away(error)
            time.sleep(min(pause_s, self._deadline.remaining + 0.001))

    def busy(self, holder: str) -> None:
        """Somebody else has it.

        Raises:
            TemporaryError: the deadline has passed.
        """
        self._say(f"waiting for the {self._terms.lock} held by {holder}")
        if self._deadline.has_passed:
            raise TemporaryError(
                f"{self._what} is still held by {holder}",
                hint=f"wait for that start to end; {_HOW_LONG}",
            )

    def refused(self, error: RefusedError) -> None:
        """The server does not let us.

        Raises:
            NoPermissionError: for too long.
        """
        self._say(f"waiting for the right to use {self._what}: {error}")
        if self._refusals is None:
            self._refusals = self._deadline.sooner(_REFUSALS_S)
        if self._refusals.has_passed:
            raise NoPermissionError(
                f"the {self._terms.server} does not let {self._terms.who} use {self._what}:"
                f" {error}",
                hint=self._terms.hint,
            ) from error

    def away(self, error: AwayError) -> None:
        """The server does not answer.

        Raises:
            UnavailableError: the deadline has passed.
        """
        self._say(f"waiting for the {self._terms.server}: {error}")
        if self._deadline.has_passed:
            raise UnavailableError(
                f"the {self._terms.server} did not answer about {self._what}: {error}",
                hint=_HOW_LONG,
            ) from error

    def _say(self, text: str) -> None:
        if self._deadline.clock() >= self._next_word:
            self._on_wait(text)
            self._next_word = self._deadline.clock() + PROGRESS_S


def ask(
    question: Callable[[], T],
    terms: Terms,
    name: str,
    timeout_s: float,
    on_wait: Callable[[str], None],
    *,
    pause_s: float,
) -> T:
    """Return the answer to a question that needs no lock, within this time.

    Raises:
        NoPermissionError, UnavailableError: see :class:`Patience`.
    """
    patience = Patience(terms, name, Deadline.after(timeout_s), on_wait)
    return patience.ask(question, pause_s)
