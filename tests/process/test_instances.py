"""Many instances in one daemon: apart from each other, whatever becomes of one of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile

import pytest
from app_process import APP, clean_environ, free_port, wait_until
from steady_load import SteadyLoad

pytestmark = pytest.mark.process

INI = """\
[app:main]
paste.app_factory = theapp:main
{app}
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = {port}
[pastebox:program:web]
restarts = 0
"""

CODE = APP.replace(
    "    return App(conf)",
    """\
    if "raise" in conf:
        raise RuntimeError("on purpose")
    return App(conf)""",
)


class Instances:
    """A directory of instances, and the daemon that serves them."""

    def __init__(self, start, directory, run_dir) -> None:
        self._start = start
        self._directory = directory
        self.run_dir = run_dir
        self.ports: dict[str, int] = {}
        (directory / "i").mkdir()

    def write(self, name: str, app: str = "", *, port: object = None) -> None:
        """Write the INI of one; it has a port of its own from then on."""
        self.ports.setdefault(name, free_port())
        text = INI.format(app=app, port=self.ports[name] if port is None else port)
        beside = self._directory / "i/beside"
        beside.write_text(text)
        beside.rename(self._directory / f"i/{name}.ini")

    def remove(self, name: str) -> None:
        """Remove the INI of one."""
        (self._directory / f"i/{name}.ini").unlink()

    def start(self, *argv: str, **settings: str):
        """Start the daemon."""
        places = {
            "PASTEBOX_MODE": "daemon",
            "PASTEBOX_INSTANCES_DIR": str(self._directory / "i"),
            "PASTEBOX_DATA_DIR": str(self._directory / "data"),
            "PASTEBOX_RUN_DIR": self.run_dir,
            "PASTEBOX_PORT": str(free_port()),
        }
        self.daemon = self._start(argv=argv, code=CODE, health=True, **places | settings)
        return self.daemon

    def listens(self, name: str, count: int = 1) -> None:
        """Wait until one listens."""
        self.daemon.wait_log(rf"^{name} \| .* listening on ", count=count)

    def says(self, name: str) -> str:
        """Return what one answers."""
        return self.daemon.get("/", port=self.ports[name]).text

    def ctl(self, *words: str) -> tuple[int, str]:
        """Run ``pastebox ctl``; return its status and what it said."""
        environ = clean_environ(self._directory, {"PASTEBOX_RUN_DIR": self.run_dir})
        command = [sys.executable, "-m", "pastebox", "ctl", *words]
        answer = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        return answer.returncode, answer.stdout + answer.stderr

    def update(self, count: int = 1) -> None:
        """Have the daemon read the directory again, and wait until it has."""
        self.daemon.signal(signal.SIGHUP)
        self.daemon.wait_log(r" updated ", count=count)


@pytest.fixture
def instances(start, tmp_path):
    with tempfile.TemporaryDirectory(prefix="pb-") as run_dir:  # a socket's path is short
        yield Instances(start, tmp_path, run_dir)


def test_adding_changing_and_removing_one_loses_no_request_of_the_others(instances):
    for name in ("a", "b", "c"):
        instances.write(name, f"word = {name}")
    daemon = instances.start()
    for name in ("a", "b", "c"):
        instances.listens(name)
    with SteadyLoad(instances.ports["a"]) as one, SteadyLoad(instances.ports["b"]) as other:
        for turn, (new, old) in enumerate([("d", "c"), ("c", "d")], 1):
            wait_until(lambda: one.counts["done"] > 20 and other.counts["done"] > 20, "load")
            instances.write(new, f"word = {new}")
            instances.write("a", f"word = turn {turn}")
            instances.remove(old)
            instances.update(turn)
            instances.listens(new, 2 if new == "c" else 1)
            daemon.wait_log(rf" program stopped name={old} exit=0")
            wait_until(lambda turn=turn: instances.says("a") == f"turn {turn}", "the change")
            assert instances.says(new) == new
    assert (one.counts["lost"], other.counts["lost"]) == (0, 0), one.details + other.details
    assert daemon.log().count(" program started name=a ") == 1
    assert daemon.log().count(" program started name=b ") == 1
    assert len(other.pids) == 1
    assert daemon.stop() == 0


def test_the_health_port_answers_for_all_and_for_each(instances, tmp_path):
    instances.write("a")
    instances.write("b", port="none")
    daemon = instances.start()
    instances.listens("a")
    daemon.wait_log(r"^pastebox-health \| .* health of the instances on ")
    wait_until(lambda: daemon.health("/readyz").status == 200, "readiness")
    lines = daemon.health("/readyz?verbose").text.splitlines()
    assert lines[0] == "[+]a ok"
    assert lines[1].startswith("[-]b failed: refused: ")
    assert daemon.health("/readyz?instance=a&verbose").text.startswith("[+]started ok")
    assert daemon.health("/readyz?instance=b").status == 503
    assert daemon.health("/livez?instance=c").status == 404
    assert json.loads(daemon.health("/startupz?instance=a").text)["phase"] == "serving"
    assert "Serving" in daemon.health("/status?instance=a").text
    assert "1 of 2 instances are ready" in daemon.health("/status").text
    metrics = daemon.health("/metrics").text
    assert 'pastebox_instance_up{instance="b"} 0\n' in metrics
    assert 'pastebox_live{instance="a"} 1\n' in metrics
    environ = {"PASTEBOX_HEALTH_HOST": f"unix:{instances.run_dir}/instances/a/health.sock"}
    words = [sys.executable, "-m", "pastebox", "health"]
    subprocess.run(words, env=clean_environ(tmp_path, environ), check=True, timeout=30)
    assert daemon.stop() == 0


def test_what_is_wrong_at_an_update_leaves_what_runs_as_it_is(instances):
    instances.write("a", "word = a")
    instances.write("b", "raise = 1")
    daemon = instances.start()
    instances.listens("a")
    daemon.wait_log(r"the others go on name=b exit=70 others=a")
    instances.write("a", port="none")
    instances.write("A", port=instances.ports["a"])
    instances.write("c d")
    instances.write("e", port=instances.ports["a"])
    instances.write("b", "word = mended")
    status, told = instances.ctl("update")
    assert status == 78
    assert told.startswith("reloaded: b\nrefused: A: ")
    for name, why in {
        "a": r'found "none"',
        "A": r"a program of a\.ini",
        "c d": "the name 'c d'",
        "e": r"and so does a\.ini",
    }.items():
        daemon.wait_log(rf" instance refused name={name}: .*{why}")
    instances.listens("b")
    assert (instances.says("a"), instances.says("b")) == ("a", "mended")
    assert daemon.log().count(" program started name=a ") == 1
    for name in ("A", "c d", "e"):
        instances.remove(name)
    instances.write("a", "word = a")
    assert instances.ctl("update") == (0, "nothing to change\n")
    assert daemon.stop() == 0


@pytest.mark.parametrize("leaves", ["swaps", "is-removed"])
def test_addresses_change_hands_in_one_update(instances, leaves):
    """Two swap theirs; or one goes, the next ones move up, and a new one has what is left."""
    for name in ("a", "b", "c"):
        instances.write(name, f"word = {name}")
    daemon = instances.start()
    for name in ("a", "b", "c"):
        instances.listens(name)
    ports = instances.ports
    if leaves == "swaps":
        new = {"a": ports["b"], "b": ports["a"]}
    else:
        new = {"b": ports["a"], "c": ports["b"], "d": ports["c"]}
        instances.remove("a")
    for name, port in new.items():
        instances.write(name, f"word = new {name}", port=port)
    ports |= new
    assert instances.ctl("update")[0] == 0
    for name in new:
        wait_until(lambda name=name: answers(instances, name) == f"new {name}", "the new address")
        assert daemon.log().count(f" program started name={name} ") == (1 if name == "d" else 2)
    if leaves == "swaps":
        assert instances.says("c") == "c"
        assert daemon.log().count(" program started name=c ") == 1
    assert daemon.stop() == 0


def answers(instances, name):
    try:
        return instances.says(name)
    except OSError:
        return None


@pytest.mark.parametrize("fail", ["any", "all"])
def test_the_whole_ends_with_the_status_of_what_had_to_serve(instances, fail):
    instances.write("a", "raise = 1")
    if fail == "any":
        instances.write("b")
    else:
        instances.write("b", "raise = 1")
    daemon = instances.start(PASTEBOX_INSTANCES_FAIL=fail)
    assert daemon.wait_exit() == 70
    assert ("the others go on" in daemon.log()) is (fail == "all")


@pytest.mark.parametrize("fails", [False, True])
def test_a_job_that_only_sets_up_ends_with_the_last_of_them(instances, tmp_path, fails):
    instances.write("a")
    instances.write("b")
    hook = tmp_path / "hooks/pre-config/10-a.sh"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ncase $PASTEBOX_DATA_DIR in */a) exit {9 * fails} ;; esac\n")
    hook.chmod(0o755)
    settings = {"PASTEBOX_SETUP": "only", "PASTEBOX_HOOKS_DIR": f"{tmp_path}/hooks"}
    daemon = instances.start(PASTEBOX_INSTANCES_FAIL="any", **settings)
    assert bool(daemon.wait_exit()) is fails
    assert daemon.log().count(" program started name=b ") == 1


def test_an_ini_beside_instances_is_refused(instances):
    instances.write("a")
    daemon = instances.start("app.ini")
    assert daemon.wait_exit() == 78
    assert "and so are the instances" in daemon.log()


def test_instances_without_daemon_mode_are_refused(instances):
    instances.write("a")
    daemon = instances.start(PASTEBOX_MODE="foreground")
    assert daemon.wait_exit() == 78
    assert "expected PASTEBOX_MODE=daemon" in daemon.log()


def test_nothing_but_refused_instances_is_a_refused_start(instances):
    instances.write("a", port="none")
    daemon = instances.start()
    assert daemon.wait_exit() == 78
    assert 'port: found "none"' in daemon.log()


def test_explain_names_each_instance(instances, tmp_path):
    instances.write("a")
    instances.write("b", port="none")
    environ = {"PASTEBOX_MODE": "daemon", "PASTEBOX_INSTANCES_DIR": f"{tmp_path}/i"}
    words = [sys.executable, "-m", "pastebox", "explain"]
    answer = subprocess.run(
        words, env=clean_environ(tmp_path, environ), capture_output=True, text=True, check=True
    )
    assert f"a: {tmp_path}/i/a.ini on 127.0.0.1:{instances.ports['a']}, in " in answer.stdout
    assert "b is refused: " in answer.stdout
    assert "make-config" not in answer.stdout
