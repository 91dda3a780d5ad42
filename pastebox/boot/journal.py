"""The journal: what first boot has done, in a JSON file that is whole or not there.

Its first line holds everything that decides "done, for this version and configuration", in a
form that is always written alike. A start on a volume that is set up compares that line as
bytes and reads no JSON.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from pastebox import __version__
from pastebox.boot.identity import Holder
from pastebox.config.sha256 import hexdigest
from pastebox.errors import NoPermissionError, PasteboxError
from pastebox.process.atomic import write_atomically

SCHEMA = 1
MODE = 0o660
_SALT = re.compile(rb'"salt": "([0-9a-f]{32})"')
_PLAIN = re.compile(r"[A-Za-z0-9 ._+!#:/-]*")

State = Literal["running", "failed", "done"]
Applications = tuple[tuple[str, str], ...]


class Fingerprint(NamedTuple):
    """What was set up: each application with its version, and the digest of its configuration."""

    applications: Applications
    config: str


class Journal(NamedTuple):
    """One state of the journal.

    Attributes:
        state: ``running`` before the work, ``failed`` or ``done`` after it.
        applications: distribution name and version, sorted.
        salt: hexadecimal, new for each journal.
        config: salted digest of the configuration; empty before there is one.
        step: the step that is at work, or was the last.
        attempt: how many starts have tried since the last ``done``.
        token: the fencing token of the lock under which it was written.
        holder: the process that wrote it.
        started: UTC, ISO 8601.
        finished: likewise, empty while running.
        error: a sentence, empty unless failed.
        pastebox: the version that wrote it.
    """

    state: State
    applications: Applications
    salt: str
    config: str
    step: str
    attempt: int
    token: int
    holder: Holder
    started: str
    finished: str = ""
    error: str = ""
    pastebox: str = __version__

    @property
    def remark(self) -> str:
        """What a person wants to know of it, in one phrase."""
        text = f"{self.state} at step {self.step}, {self.holder}, since {self.started}"
        if self.applications:
            text += ", " + ", ".join(f"{name} {version}" for name, version in self.applications)
        return f"{text}: {self.error}" if self.error else text


class UnreadableJournalError(Exception):
    """The file is there and is not a journal; the argument says why."""


class NewerJournalError(Exception):
    """The file is of a schema that this version does not know; the argument names it."""


def new_salt() -> str:
    """Return 16 random bytes in hexadecimal."""
    return os.urandom(16).hex()


def salted(salt: str, digest: str) -> str:
    """Return what the journal keeps of a configuration's digest: no secret can be tried on it."""
    return hexdigest(f"{salt}:{digest}".encode())


def read_bytes(path: str) -> bytes | None:
    """Return the file's content, or ``None`` when there is none.

    Raises:
        NoPermissionError: it is there and cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise NoPermissionError(
            f"the journal cannot be read by uid {os.getuid()}: {error.strerror}",
            file=path,
            hint=f"on the host: chown {os.getuid()}:{os.getgid()} {path}",
        ) from error


def is_done(content: bytes, fingerprint: Fingerprint) -> bool:
    """Whether ``content`` is a journal that is done for exactly this; cheap, never guesses yes."""
    line, _, rest = content.partition(b"\n")
    salt = _SALT.search(line)
    if salt is None or not rest.endswith(b"}\n"):
        return False
    salt_text = salt[1].decode()
    config = salted(salt_text, fingerprint.config)
    return line == _first_line("done", fingerprint.applications, salt_text, config).encode()


def parse(content: bytes) -> Journal:
    """Read a journal.

    Raises:
        UnreadableJournalError: it is torn, or not one.
        NewerJournalError: its schema is newer than ``SCHEMA``.
    """
    import json  # noqa: PLC0415  # a start that has nothing to do needs none

    try:
        data = json.loads(content)
    except ValueError as error:
        raise UnreadableJournalError(f"it is not whole ({error})") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if not isinstance(schema, int):
        raise UnreadableJournalError("it has no schema number")
    if schema > SCHEMA:
        raise NewerJournalError(f"schema {schema}, this is schema {SCHEMA}")
    try:
        return _from_data(data)
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableJournalError(
            f"a value is missing or of another kind ({error!r})"
        ) from error


def _from_data(data: Mapping[str, Any]) -> Journal:
    state = data["state"]
    if state not in ("running", "failed", "done"):
        raise ValueError(state)
    return Journal(
        state=state,
        applications=tuple((str(name), str(text)) for name, text in data["applications"].items()),
        salt=str(data["salt"]),
        config=str(data["config"]),
        step=str(data["step"]),
        attempt=int(data["attempt"]),
        token=int(data["token"]),
        holder=Holder(
            int(data["holder"]["pid"]),
            str(data["holder"]["started"]),
            str(data["holder"]["boot_id"]),
            str(data["holder"]["hostname"]),
        ),
        started=str(data["started"]),
        finished=str(data["finished"]),
        error=str(data["error"]),
        pastebox=str(data["pastebox"]),
    )


def render(journal: Journal) -> bytes:
    """Return the file's content."""
    import json  # noqa: PLC0415  # writing happens on a first start only

    rest = {
        "step": journal.step,
        "attempt": journal.attempt,
        "token": journal.token,
        "holder": journal.holder._asdict(),
        "started": journal.started,
        "finished": journal.finished,
        "error": journal.error,
        "pastebox": journal.pastebox,
    }
    first = _first_line(journal.state, journal.applications, journal.salt, journal.config)
    text = json.dumps(rest, indent=1, ensure_ascii=True)
    return f"{first}\n{text.removeprefix('{').lstrip(chr(10))}\n".encode()


def write(path: str, content: bytes) -> None:
    """Put the journal in place of the one before, or leave that as it is.

    Raises:
        NoPermissionError: the directory cannot be written; the hint has what to do.
        CannotCreateError: the disk is full, for example.
    """
    try:
        write_atomically(path, content, mode=MODE)
    except PasteboxError as error:
        error.hint = "\n".join(filter(None, (error.hint, DATA_DIR_HINT)))
        raise


DATA_DIR_HINT = "or set PASTEBOX_DATA_DIR to a directory that can be written"


def _first_line(state: str, applications: Applications, salt: str, config: str) -> str:
    listed = ", ".join(f"{_quoted(name)}: {_quoted(version)}" for name, version in applications)
    return (
        f'{{"schema": {SCHEMA}, "state": "{state}", "applications": {{{listed}}},'
        f' "salt": "{salt}", "config": "{config}",'
    )


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return f'"{text}"'
    import json  # noqa: PLC0415  # a name that no packaging tool lets through

    return json.dumps(text)
