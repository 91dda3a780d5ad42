"""The units of the example under systemd itself, which is the first process of a container."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "examples/systemd"
INI = """\
[app:main]
use = egg:pastebox-wiki
sqlalchemy.url = sqlite:///%(ENV_PASTEBOX_DATA_DIR)s/wiki.db
session.secret = only-for-this-test-0123456789

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = 8080
"""
SYSTEMD = [
    *("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"),
    *("--security-opt", "apparmor=unconfined"),
    *("--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup"),
    *("--tmpfs", "/run", "--tmpfs", "/tmp", "--env", "container=docker"),
]
PATIENCE_S = 120


@pytest.fixture
def image(wiki_image: str, docker) -> str:
    """The wiki on a machine with systemd."""
    tag = "pastebox-systemd:test"
    words = ["build", "--quiet", "--tag", tag, "--build-arg", f"WIKI={wiki_image}"]
    docker(*words, str(ROOT / "tests/image/systemd"), timeout=600)
    return tag


@pytest.fixture
def machine(run, image, tmp_path):
    """A container in which systemd runs, with the units and an INI; nothing is started."""
    (tmp_path / "app.ini").write_text(INI)
    files = [
        *(
            f"{UNITS}/{name}:/etc/systemd/system/{name}:ro"
            for name in ("wiki.service", "wiki.socket")
        ),
        f"{tmp_path}/app.ini:/etc/wiki/app.ini",
    ]
    volumes = [word for file in files for word in ("--volume", file)]
    container = run(options=[*SYSTEMD, *volumes, "--publish", "127.0.0.1::80"])
    deadline = time.monotonic() + PATIENCE_S
    while container.inspect("{{.State.Running}}") == "true" and time.monotonic() < deadline:
        if ask(container, "systemctl is-system-running") in ("running", "degraded"):
            return container
    pytest.skip("systemd does not run in a container here")


def ask(container, command):
    """Return what a command says, whatever its status is."""
    return container.exec("sh", "-c", f"{command} 2>&1 || true").strip()


def shown(container):
    """Return the facts of the service."""
    names = "ActiveState,Result,ExecMainStatus,NRestarts,MainPID,StatusText"
    text = container.exec("systemctl", "show", "wiki.service", f"--property={names}")
    return dict(line.split("=", 1) for line in text.splitlines())


def wait_for(container, **facts):
    """Return the facts of the service once these are among them."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = shown(container)
        if facts.items() <= found.items():
            return found
    pytest.fail(f"{facts} did not come\n{found}\n{log(container)}")


def log(container):
    return container.exec("journalctl", "--unit=wiki", "--no-pager", "--output=cat")


@pytest.mark.timeout(600)
def test_the_example_is_right_for_systemd(machine):
    """Activated by a connection, reloaded, replaced under load, revived, stopped, refused."""
    machine.exec("systemctl", "start", "wiki.socket")
    assert shown(machine)["ActiveState"] == "inactive"
    assert "<h1" in machine.get(port=80, timeout=PATIENCE_S).body  # the first boot is in it
    started = wait_for(machine, ActiveState="active", StatusText="serving generation 1")

    over, answers = threading.Event(), []
    load = threading.Thread(target=visit, args=(machine, over, answers))
    load.start()
    machine.exec("systemctl", "reload", "wiki")
    reloaded = wait_for(machine, ActiveState="active", StatusText="serving generation 2")
    assert reloaded["MainPID"] == started["MainPID"]
    machine.exec("systemctl", "restart", "wiki")
    anew = wait_for(machine, ActiveState="active", StatusText="serving generation 1")
    assert anew["MainPID"] != started["MainPID"]
    over.set()
    load.join(PATIENCE_S)
    assert set(answers) == {200}, log(machine)

    machine.exec("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "wiki")
    wait_for(machine, ActiveState="active", NRestarts="1")
    assert machine.get(port=80, timeout=PATIENCE_S).status == 200

    machine.exec("systemctl", "stop", "wiki.socket", "wiki.service")
    stopped = wait_for(machine, ActiveState="inactive")
    assert (stopped["Result"], stopped["ExecMainStatus"]) == ("success", "0"), log(machine)

    machine.exec("sh", "-c", "echo 'no option' >>/etc/wiki/app.ini")
    assert "failed" in ask(machine, "systemctl start wiki.service")
    refused = wait_for(machine, ActiveState="failed")
    assert (refused["ExecMainStatus"], refused["NRestarts"]) == ("78", "0"), log(machine)


def visit(container, over, answers):
    """Ask one request after another, each on a new connection, until it is over."""
    while not over.is_set():
        try:
            answers.append(container.get(port=80, timeout=PATIENCE_S).status)
        except OSError as error:
            answers.append(repr(error))
