"""What the tests of a release share: commands that fail with their output, and a registry."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from chart_render import CHART
from helm_program import helm_program

from pastebox import __version__

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
def registry_in(folder: Path) -> Iterator[str]:
    """Serve a registry that keeps its content in a folder; its address is on a free port."""
    program = shutil.which("docker-registry")
    if program is None:
        reason = "needs docker-registry: docker-registry is not installed"
        if "docker-registry" in os.environ.get("PASTEBOX_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
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


def chart_through(registry: str, folder: Path) -> tuple[Path, Path]:
    """Package the chart, push it and pull it by its version; return both archives."""
    helm, package = helm_program(), f"pastebox-{__version__}.tgz"
    home = {"HELM_CACHE_HOME": str(folder / "cache"), "HELM_CONFIG_HOME": str(folder / "conf")}
    env = os.environ | home | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    call(helm, "package", CHART, "--destination", folder, env=env)
    # a place of this run's own: whoever else pushes the same version does not meet it
    place = f"oci://{registry}/{uuid.uuid4().hex}"
    call(helm, "push", folder / package, place, env=env)
    pulled = folder / "pulled"
    pulled.mkdir()
    words = ("--version", __version__, "--destination", pulled)
    call(helm, "pull", f"{place}/pastebox", *words, env=env)
    return folder / package, pulled / package
