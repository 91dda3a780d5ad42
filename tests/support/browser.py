"""Headless Chromium by its DevTools protocol, over a pair of pipes: without a port or a library.

Messages are JSON, each ended by a NUL; the browser reads descriptor 3 and writes descriptor 4.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Self

PATIENCE_S = 60.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--hide-scrollbars",
    "--window-size=1000,640",
    "--remote-debugging-pipe",
)
_PUT_PIPES = """\
import os, sys
for there, here in zip(sys.argv[1:3], (3, 4)):
    os.dup2(int(there), here)
os.execv(sys.argv[3], sys.argv[3:])
"""
_PIPES = (sys.executable, "-S", "-c", _PUT_PIPES)
"""Puts the pipes where the browser looks for them."""


def program() -> str:
    """Return the browser's path; empty where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


class Browser:
    """One page."""

    def __init__(self) -> None:
        self._home = tempfile.mkdtemp(prefix="browser-")
        home = f"--user-data-dir={self._home}"
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        self._process = subprocess.Popen(
            [*_PIPES, str(theirs_in), str(theirs_out), program(), *_FLAGS, home],
            env={**os.environ, "HOME": self._home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs_in, theirs_out),
            start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._out = os.fdopen(ours_out, "wb", buffering=0)
        self._in = os.fdopen(ours_in, "rb")
        self._numbers = itertools.count(1)
        self._news: queue.Queue[dict] = queue.Queue()
        self._session = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._ask("Page.enable")
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 9)
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        self._in.close()
        self._out.close()
        shutil.rmtree(self._home, ignore_errors=True)

    # -- what a test does --------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to an address, and wait until its page is there."""
        self._ask("Page.navigate", url=url)
        self.loaded()

    def loaded(self) -> None:
        """Wait until a page has loaded, whoever asked for it."""
        self._wait(lambda one: one.get("method") == "Page.loadEventFired", "a page")

    def evaluate(self, expression: str) -> object:
        """Return the value of an expression in the page; nothing while the page goes away."""
        reply = self._request("Runtime.evaluate", expression=expression, returnByValue=True)
        return reply.get("result", {}).get("result", {}).get("value")

    def screenshot(self, path: Path) -> None:
        """Keep what the page looks like, as a PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        reply = self._ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(reply["data"]))

    # -- the protocol ------------------------------------------------------------------------

    def _ask(self, method: str, **params: object) -> dict:
        reply = self._request(method, **params)
        assert "error" not in reply, reply
        return reply["result"]

    def _request(self, method: str, **params: object) -> dict:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        return self._wait(lambda one: one.get("id") == number, method, keep=True)

    def _read(self) -> None:
        rest = b""
        while data := self._in.read1(1 << 16):
            *messages, rest = (rest + data).split(b"\0")
            for message in messages:
                self._news.put(json.loads(message))
        self._news.put({"method": "end"})

    def _wait(self, is_it, what: str, *, keep: bool = False) -> dict:
        """Return the first message that is it; ``keep`` leaves events for later."""
        kept = []
        while True:
            try:
                one = self._news.get(timeout=PATIENCE_S)
            except queue.Empty:
                raise AssertionError(f"the browser says nothing of {what}") from None
            assert one.get("method") != "end", f"the browser has ended before {what}"
            if is_it(one):
                for other in kept:
                    self._news.put(other)
                return one
            if keep and "id" not in one:
                kept.append(one)
