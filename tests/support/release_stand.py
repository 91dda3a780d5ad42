"""What the tests of a release share: commands that fail with their output, and a registry."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """\
version: 0.1
storage: {filesystem: {rootdir: %(root)s}}
http: {addr: "127.0.0.1:0"}
log: {level: info}
"""


def call(*words: object, timeout: float = 120, **more) -> str:
    """Run a command; return its output; fail with it."""
    command = [str(word) for word in words]
    answer = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
        **more,
    )
    assert answer.returncode == 0, f"{' '.join(command)}\n{answer.stdout}"
    return answer.stdout


def wait_for(server: subprocess.Popen, log: Path, pattern: str) -> str:
    """Return the first group of a pattern once a log has it; fail when the process has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            return found[1]
        assert server.poll() is None, log.read_text()
        time.sleep(0.05)
    pytest.fail(f"{pattern} did not come\n{log.read_text()}")


@contextlib.contextmanager
def serving(program: str, folder: Path) -> Iterator[str]:
    """Serve a registry that keeps its content in a folder; its address is on a free port."""
    (folder / "config.yml").write_text(CONFIG % {"root": folder / "data"})
    log = folder / "log"
    with log.open("wb") as file:
        words = [program, "serve", str(folder / "config.yml")]
        server = subprocess.Popen(words, stdout=file, stderr=file)
    try:
        yield wait_for(server, log, r'listening on (127\.0\.0\.1:\d+)"')
    finally:
        server.kill()
        server.wait()
