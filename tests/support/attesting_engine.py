"""An engine that can keep attestations: the machine's, or one of our own beside it.

Docker's classic store keeps an image and nothing about it. The store of containerd keeps both, and
which of them an engine has is fixed when it starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from release_stand import call

BASE = "debian:trixie-slim"
SHARED = Path("/run/containerd/containerd.sock")
"""An engine takes this containerd where it is there; ours would meddle with the other's things."""
ADDRESS = "192.0.2.1/29"  # of a range that is for documents: nobody has a route to it


class Engine(NamedTuple):
    """What a command is told so that it talks to the engine."""

    environ: dict[str, str]
    build_flags: str


def missing(*, is_required: bool) -> str:
    """Say why there is no such engine, or nothing; one of our own only where it is required."""
    if _keeps_attestations():
        return ""
    if not is_required:
        return "the engine does not keep attestations"
    if os.geteuid() != 0:
        return "the engine does not keep attestations, and only root can start another"
    for program in ("dockerd", "containerd", "ip"):
        if shutil.which(program) is None:
            return f"the engine does not keep attestations, and {program} is not installed"
    if SHARED.exists():
        return f"the engine does not keep attestations, and another would share {SHARED}"
    return ""


@contextlib.contextmanager
def attesting_engine(folder: Path) -> Iterator[Engine]:
    """Talk to the machine's engine if it can, else start one; what is ours is gone afterwards."""
    if _keeps_attestations():
        yield Engine({}, "")
        return
    bridge = f"pb{uuid.uuid4().hex[:8]}"
    call("ip", "link", "add", bridge, "type", "bridge")
    try:
        call("ip", "address", "add", ADDRESS, "dev", bridge)
        call("ip", "link", "set", bridge, "up")
        with _started(folder, bridge) as host:
            _give_the_base(host)
            # packages come over the network of the machine: nobody routes for our bridge
            yield Engine({"DOCKER_HOST": host}, "--network host")
    finally:
        call("ip", "link", "delete", bridge)


@contextlib.contextmanager
def _started(folder: Path, bridge: str) -> Iterator[str]:
    """Run an engine with everything that it has in a folder of its own."""
    (folder / "daemon.json").write_text(json.dumps({"features": {"containerd-snapshotter": True}}))
    host = f"unix://{folder}/docker.sock"
    words = ["dockerd", "--config-file", f"{folder}/daemon.json", "--host", host]
    words += ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    words += ["--pidfile", f"{folder}/pid", "--bridge", bridge, "--iptables=false"]
    words += ["--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    log = folder / "log"
    with log.open("wb") as file:
        engine = subprocess.Popen(words, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + 90
        question = ["docker", "--host", host, "version"]
        while subprocess.run(question, capture_output=True, timeout=60, check=False).returncode:
            assert engine.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield host
    finally:
        engine.terminate()  # it ends its containerd as well
        try:
            engine.wait(90)
        except subprocess.TimeoutExpired:
            engine.kill()
            pytest.fail(f"the engine did not end\n{log.read_text()}")
        shutil.rmtree(folder / "data", ignore_errors=True)  # hundreds of megabytes


def _keeps_attestations() -> bool:
    """Whether the machine's engine has the store of containerd."""
    status = call("docker", "info", "--format", "{{json .DriverStatus}}")
    return "io.containerd.snapshotter" in status


def _give_the_base(host: str) -> None:
    """Hand the base image over where the machine has it; else the engine pulls it."""
    known = subprocess.run(
        ["docker", "image", "inspect", BASE], capture_output=True, timeout=60, check=False
    )
    if known.returncode == 0:
        call("sh", "-c", f"docker save {BASE} | docker --host {host} load", timeout=300)
