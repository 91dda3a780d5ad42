"""What programs write: whole lines, each with the program's name, on the daemon's own streams.

Nothing is lost and nobody waits: where the reader of the daemon's output is slow, lines queue up
to a limit, then the programs are no longer read from, and wait in their own writes.
"""

import json
import os
import select
import time
from collections.abc import Callable

from pastebox.observe.moment import iso

LONGEST_LINE = 256 * 1024
"""Bytes after which a line without an end is broken into lines of that length."""

QUEUE = 1024 * 1024
TAIL = 64 * 1024
_ATOMIC = 4096
"""Bytes that a pipe which can be written to takes without blocking (PIPE_BUF on Linux)."""


class Sink:
    """One stream of the daemon; supervisor's loop writes it as if it were a dispatcher."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._queue = bytearray()
        self._is_broken = False

    def put(self, lines: bytes) -> None:
        """Queue whole lines, and write what can be written now."""
        if self._is_broken:
            return
        self._queue += lines
        self._write()

    @property
    def is_full(self) -> bool:
        """Whether writers should wait."""
        return len(self._queue) >= QUEUE

    def readable(self) -> bool:
        """Nothing is read from it."""
        return False

    def writable(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._queue)

    def handle_write_event(self) -> None:
        """Write what can be written without blocking."""
        self._write()

    def handle_error(self) -> None:
        """Be called for an exception of ours, which has nowhere to go."""
        self._break()

    def flush(self, seconds: float) -> None:
        """Write everything, for so long at most."""
        end = time.monotonic() + seconds
        while self._queue and time.monotonic() < end:
            self._write(wait_ms=100)

    def _write(self, wait_ms: int = 0) -> None:
        # No O_NONBLOCK: the file description may be shared with the shell that started us.
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        try:
            while self._queue and poll.poll(wait_ms):
                del self._queue[: os.write(self.fd, self._queue[:_ATOMIC])]
        except OSError:  # nobody reads it any more, and there is nobody to tell
            self._break()

    def _break(self) -> None:
        self._is_broken = True
        self._queue.clear()


class SinkStream:
    """A text stream on a sink, for the handlers of ``logging``."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, text: str) -> None:
        """Queue the text."""
        self._sink.put(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        """Nothing is held back."""


class Streams:
    """The standard output and error; one sink for both where both are the same pipe or file."""

    def __init__(self, out: int = 1, err: int = 2) -> None:
        self.out = Sink(out)
        self.err = self.out if _is_same(out, err) else Sink(err)

    def dispatchers(self) -> dict[int, Sink]:
        """Return the sinks by their descriptors."""
        return {self.out.fd: self.out, self.err.fd: self.err}

    def flush(self, seconds: float) -> None:
        """Write everything, for so long at most."""
        self.out.flush(seconds)
        self.err.flush(seconds)


def _is_same(one: int, other: int) -> bool:
    a, b = os.fstat(one), os.fstat(other)
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


class Tail:
    """The last bytes that a program wrote, by their position in all that it wrote."""

    def __init__(self) -> None:
        self.total = 0
        self._kept = bytearray()

    def put(self, data: bytes) -> None:
        """Keep what is new, and drop what is old."""
        self._kept += data
        self.total += len(data)
        if len(self._kept) > 2 * TAIL:
            del self._kept[:-TAIL]

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from a position; a negative one is counted from the end."""
        first = self.total - len(self._kept)
        start = self.total + offset if offset < 0 else offset
        begin = max(start, first) - first
        return bytes(self._kept[begin : begin + length] if length else self._kept[begin:])


class Lines:
    """One stream of one program, cut into lines that carry its name."""

    def __init__(
        self, name: str, stream: str, sink: Sink, tail: Tail, *, as_json: bool = False
    ) -> None:
        self._name = name
        self._stream = stream
        self._sink = sink
        self._tail = tail
        self._part = bytearray()
        self._dress = self._as_json if as_json else self._as_text
        self._prefix = f"{name} | ".encode()
        self._key = f'{{"program":{json.dumps(name)},'.encode()

    @property
    def is_held(self) -> bool:
        """Whether the program should wait."""
        return self._sink.is_full

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        self._part += data
        if b"\n" not in data:
            self._break_long()
            return
        *lines, rest = bytes(self._part).split(b"\n")
        self._part = bytearray(rest)
        self._send(lines)
        self._break_long()

    def end(self) -> None:
        """Send what came after the last line end."""
        if self._part:
            line, self._part = bytes(self._part), bytearray()
            self._send([line])

    def _break_long(self) -> None:
        while len(self._part) >= LONGEST_LINE:
            line = bytes(self._part[:LONGEST_LINE])
            del self._part[:LONGEST_LINE]
            self._send([line])

    def _send(self, lines: list[bytes]) -> None:
        self._tail.put(b"".join(line + b"\n" for line in lines))
        self._sink.put(b"".join(map(self._dress, lines)))

    def _as_text(self, line: bytes) -> bytes:
        return self._prefix + line + b"\n"

    def _as_json(self, line: bytes) -> bytes:
        if line.startswith(b"{") and _is_object(line):
            rest = line[1:].lstrip()
            return (self._key[:-1] if rest.startswith(b"}") else self._key) + rest + b"\n"
        facts = {
            "program": self._name,
            "time": iso(time.time()),
            "stream": self._stream,
            "message": line.decode("utf-8", "backslashreplace"),
        }
        return json.dumps(facts, separators=(",", ":")).encode() + b"\n"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


Maker = Callable[[str, str], Lines]
"""Makes the lines of a program's stream from its name and ``stdout`` or ``stderr``."""
