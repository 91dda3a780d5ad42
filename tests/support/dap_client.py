"""A small client of the Debug Adapter Protocol: attach, breakpoints, where it stands, go on."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import socket
import threading
from typing import Self

PATIENCE_S = 40.0


class DapClient:
    """One connection; what comes is read by a thread, and waited for with a deadline."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._socket.settimeout(None)
        self._numbers = itertools.count(1)
        self._news: queue.Queue[dict] = queue.Queue()
        self._put_back: list[dict] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, without a word."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        with self._socket.makefile("rb") as stream:
            while True:
                length = 0
                try:
                    while line := stream.readline().strip():
                        name, _, value = line.partition(b":")
                        if name.lower() == b"content-length":
                            length = int(value)
                    message = json.loads(stream.read(length)) if length else None
                except (OSError, ValueError):
                    message = None
                self._news.put(message or {"type": "end"})
                if message is None:
                    return

    # -- what a client does ------------------------------------------------------------------

    def send(self, command: str, **arguments: object) -> int:
        """Send a request; return its number."""
        number = next(self._numbers)
        request = {"seq": number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(request).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return number

    def ask(self, command: str, **arguments: object) -> dict:
        """Send a request and return the body of its reply."""
        return self.reply(self.send(command, **arguments))

    def reply(self, number: int) -> dict:
        """Wait for the reply to a request."""
        found = self._wait(lambda one: one.get("request_seq") == number, f"reply {number}")
        assert found["success"], found
        return found.get("body", {})

    def event(self, name: str) -> dict:
        """Wait for an event; return its body."""
        return self._wait(lambda one: one.get("event") == name, name).get("body", {})

    def at_end(self) -> None:
        """Wait until the other side has closed."""
        self._wait(lambda one: one["type"] == "end", "the end")

    def attach(self, path: str = "", line: int = 0) -> None:
        """Do what an editor does, with a breakpoint if there is a path."""
        self.ask("initialize", adapterID="python", pathFormat="path", linesStartAt1=True)
        attached = self.send("attach", justMyCode=True)
        self.event("initialized")
        if path:
            reply = self.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line}])
            assert [one["verified"] for one in reply["breakpoints"]] == [True], reply
        self.ask("configurationDone")
        self.reply(attached)

    def where(self) -> tuple[str, int]:
        """Wait for a stop; return function and line."""
        stopped = self.event("stopped")
        self.thread = stopped["threadId"]
        top = self.ask("stackTrace", threadId=self.thread, levels=1)["stackFrames"][0]
        self.frame = top["id"]
        return top["name"], top["line"]

    def value(self, expression: str) -> str:
        """Evaluate where it stands."""
        return self.ask("evaluate", expression=expression, frameId=self.frame)["result"]

    def go_on(self) -> None:
        """Let everything run."""
        self.ask("continue", threadId=self.thread)

    def _wait(self, is_it, what: str) -> dict:
        for one in self._put_back:
            if is_it(one):
                self._put_back.remove(one)
                return one
        while True:
            try:
                one = self._news.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"no {what}: {self._put_back}") from None
            if is_it(one):
                return one
            self._put_back.append(one)
            assert one["type"] != "end", f"the debugger has left before {what}: {self._put_back}"
