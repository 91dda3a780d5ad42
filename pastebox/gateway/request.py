"""One request, and the words in which its answer is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from pastebox.gateway.body import Body
from pastebox.process.stacks import Running

Headers = list[tuple[str, str]]
Octets = bytes | memoryview


class Reply(Protocol):
    """How a protocol writes an answer: pure, text in and bytes out."""

    keeps_open: bool
    """Whether the peer may send another request on the connection."""

    def head(self, status: str, headers: Headers) -> bytes:
        """Return the status and the headers; ``UnicodeEncodeError`` when one is not Latin-1."""
        ...

    def parts(self, data: bytes) -> Iterator[Octets]:
        """Return a part of the body in pieces of at most about a megabyte."""
        ...

    def end(self) -> bytes:
        """Return what says that the answer is whole."""
        ...

    def breach(self) -> bytes:
        """Return what no peer can take for a whole answer, where a reset cannot say so."""
        ...


class Request:
    """A request that has arrived whole.

    Attributes:
        environ: CGI variables, as the protocol brought them.
        body: its body.
        reply: writes the answer.
        refusal: a status to answer without asking the application, else empty.
        is_aborted: the peer has said that it no longer wants the answer.
        is_answered: the answer is over.
    """

    __slots__ = ("body", "environ", "is_aborted", "is_answered", "refusal", "reply")

    def __init__(
        self, environ: dict[str, str], body: Body, reply: Reply, *, refusal: str = ""
    ) -> None:
        self.environ = environ
        self.body = body
        self.reply = reply
        self.refusal = refusal
        self.is_aborted = False
        self.is_answered = False

    def running(self, thread: int, since: float) -> Running:
        """Return it as what a thread has been doing since that monotonic moment."""
        get = self.environ.get
        path = get("SCRIPT_NAME", "") + get("PATH_INFO", "") or get("REQUEST_URI", "-")
        return Running(thread, since, get("REQUEST_METHOD", "-"), path)


class Host(Protocol):
    """What a wire may ask of the connection it reads from."""

    def begin(self, request: Request) -> None:
        """Have a request that is whole answered."""
        ...

    def say(self, data: bytes) -> None:
        """Send something that belongs to no answer."""
        ...

    def finish(self) -> None:
        """Close when everything has been said."""
        ...


class Wire(Protocol):
    """The receiving end of a protocol: fed with bytes by the I/O thread, calls its host.

    ``is_midway`` says that a part of a request has come, ``has_head`` that its header is whole.
    """

    is_midway: bool
    has_head: bool

    def feed(self, data: bytes) -> None:
        """Take the next bytes; ``ProtocolError`` when they cannot be."""
        ...

    def close(self) -> None:
        """Give back what half a request holds."""
        ...
