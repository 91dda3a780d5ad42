"""``pastebox health`` as a container runtime runs it, against a real health port."""

import json
import os
import subprocess
import sys

import pytest

SERVER = """
import sys
from pastebox.observe import status as phases
from pastebox.observe.port import HealthPort, bind
from pastebox.observe.status import Status
from pastebox.process.loop import Loop

loop, status = Loop(), Status()
port = HealthPort(loop, bind("127.0.0.1", 0), status)
def obey():
    word = sys.stdin.readline().strip()
    if word == "serve":
        status.enter(phases.LOADING)
        status.generation_started(1)
        status.worker_started(0, 100)
        status.generation_ready(1)
        status.enter(phases.SERVING)
    elif word == "setup":
        status.enter(phases.SETUP_APP, "creating tables")
    elif word == "drain":
        status.drain_started()
    else:
        loop.stop()
    print("done", flush=True)
loop.on_readable(0, obey)
print(port.port, flush=True)
loop.run()
port.close()
"""

pytestmark = pytest.mark.process


class Master:
    """A process with a health port, told by words what to be."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self.process.stdout.readline().strip()

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


@pytest.fixture
def master():
    master = Master()
    yield master
    master.tell("end")
    assert master.process.wait(10) == 0
    master.process.stdin.close()
    master.process.stdout.close()


def health(*argv, **environ):
    """Run the command the way HEALTHCHECK does; return its status and output."""
    done = subprocess.run(
        [sys.executable, "-m", "pastebox.cli.main", "health", *argv],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_it_follows_the_phases(master):
    port = {"PASTEBOX_HEALTH_PORT": master.port}
    master.tell("setup")
    assert health("--live", **port) == (0, "ok\n")
    assert health("--startup", **port) == (
        1,
        "status 503 Service Unavailable: phase setup-app (creating tables)\n",
    )
    status, text = health(**port)
    assert status == 1
    assert "started: phase setup-app" in text
    master.tell("serve")
    assert health(**port) == (0, "ok\n")
    assert health("--startup", **port) == (0, "ok\n")
    master.tell("drain")
    assert health(**port) == (1, "status 503 Service Unavailable: draining: phase draining\n")
    assert health("--live", **port) == (0, "ok\n")


def test_json_is_one_object(master):
    master.tell("serve")
    status, text = health("--json", "--health-port", master.port)
    facts = json.loads(text)
    assert status == 0
    assert facts.pop("seconds") < 5
    assert facts == {
        "ok": True,
        "reason": "ok",
        "target": f"127.0.0.1:{master.port}/readyz",
        "status": 200,
    }


def test_a_wildcard_address_and_the_file_variant(master, tmp_path):
    master.tell("serve")
    path = tmp_path / "port"
    path.write_text(f"{master.port}\n")
    environ = {"PASTEBOX_HEALTH_PORT_FILE": str(path), "PASTEBOX_HEALTH_HOST": "0.0.0.0"}
    assert health(**environ) == (0, "ok\n")


def test_with_the_health_port_off_it_asks_the_application(master):
    environ = {"PASTEBOX_HEALTH_PORT": "off", "PASTEBOX_PORT": master.port}
    assert health(**environ) == (0, "ok\n")
    assert health(**environ, PASTEBOX_READY_PATH="/readyz")[0] == 1
    assert health(**environ, PASTEBOX_READY_PATH="/livez") == (0, "ok\n")


def test_a_url_asks_exactly_that(master):
    assert health(f"http://localhost:{master.port}/livez") == (0, "ok\n")
    status, text = health(f"http://127.0.0.1:{master.port}/nothing")
    assert status == 1
    assert text.startswith("status 404 Not Found: not found")
    # Without a path nobody said what to expect: an answer will do.
    assert health(f"http://127.0.0.1:{master.port}")[0] == 0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_user_without_a_name_can_ask(master):
    """An arbitrary UID has no line in /etc/passwd and no home."""
    master.tell("serve")
    code = (
        "import os, sys; from pastebox.cli import health; os.setgid(0); os.setuid(1234567);"
        "sys.exit(health.main(sys.argv[1:], {}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--health-port", master.port],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ok\n", "")
