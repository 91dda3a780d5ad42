"""``docker run -it`` and ``docker attach``: pdb has the terminal of the container."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import subprocess
import threading
import time

import pytest

PATIENCE_S = 40.0
APP = """\
def main(global_conf):
    def app(environ, start_response):
        answer = 42
        if environ["PATH_INFO"] == "/stop":
            breakpoint()
        body = f"the answer is {answer}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    return app
"""
INI = """\
[app:main]
paste.app_factory = stops:main
[server:main]
use = egg:waitress#main
"""


class Terminal:
    """Somebody at a terminal that is attached to a container."""

    def __init__(self, name: str) -> None:
        self._ours, theirs = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            ["docker", "attach", "--sig-proxy=false", name],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Wait until something is on the screen."""
        end = time.monotonic() + PATIENCE_S
        while text not in self.text:
            assert time.monotonic() < end, f"no {text!r} on the screen:\n{self.text}"
            if select.select([self._ours], [], [], 0.5)[0]:
                self.text += os.read(self._ours, 4096).decode("utf-8", "replace")

    def type(self, line: str) -> None:
        os.write(self._ours, line.encode() + b"\r")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._ours)


@pytest.fixture
def stops(run, readable):
    """A container with a terminal, whose application stops at a breakpoint."""
    (readable / "stops.py").write_text(APP)
    (readable / "app.ini").write_text(INI)
    mounts = ["--volume", f"{readable}:/app:ro"]
    mounts += ["--volume", f"{readable}/app.ini:/etc/pastebox/app.ini:ro"]
    options = ["--interactive", "--tty", "--env", "PYTHONPATH=/app", "--env", "PASTEBOX_DEV=on"]
    container = run(options=[*options, *mounts])
    container.wait_for_log("listening on")
    return container


def test_breakpoint_has_the_terminal_of_the_container(stops):
    answers = []
    asking = threading.Thread(target=lambda: answers.append(stops.get("/stop", timeout=60)))
    with contextlib.closing(Terminal(stops.name)) as terminal:
        asking.start()
        terminal.wait_for("(Pdb) ")
        terminal.type("answer = answer + 1000")
        terminal.type("print('it is', answer)")
        terminal.wait_for("it is 1042")
        assert stops.get().body == "the answer is 42"  # others are answered meanwhile
        terminal.type("continue")
        asking.join(PATIENCE_S)
    assert answers[0].body == "the answer is 1042"
    assert stops.stop() == 0
