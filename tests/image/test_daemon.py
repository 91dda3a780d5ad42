"""Daemon mode in a container: any user, nothing writable, and the exit status of its program."""

from __future__ import annotations

import json
import threading

import pytest

HARDENED = [
    *("--user", "1234567:0", "--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
]
DAEMON = ["--env", "PASTEBOX_MODE=daemon"]


@pytest.fixture
def with_programs(readable, toy):
    """Return options that mount the toy's INI with programs behind it."""

    def options(*sections: str) -> list[str]:
        path = readable / "app.ini"
        mounted = next(word for word in toy if word.endswith("/app.ini:ro")).partition(":")[0]
        with open(mounted) as ini:
            path.write_text("\n".join([ini.read(), *sections, ""]))
        path.chmod(0o644)
        rest = [
            word if "app.ini" not in word else f"{path}:/etc/pastebox/app.ini:ro" for word in toy
        ]
        return [*DAEMON, *rest]

    return options


def program(name: str, command: str, *options: str) -> str:
    return "\n".join([f"[pastebox:program:{name}]", f"command = sh -c '{command}'", *options])


def test_it_works_as_any_user_read_only_and_without_capabilities(run, with_programs):
    job = program("job", "echo uid=$(id -u); exec sleep 600", "start_seconds = 0")
    container = run(options=[*with_programs(job), *HARDENED])
    container.wait_for_log("job | uid=1234567")
    container.wait_for_log("listening on")
    assert container.get().body == "hello from the INI uid=1234567\n"
    container.wait_for_health("healthy")
    facts = json.loads(container.exec("pastebox", "ctl", "status", "--json", "job"))
    assert facts[0]["state"] == "running"
    socket = container.wait_for_log("control=").strip().rpartition("control=")[2]
    conf = socket.replace("control.sock", "supervisord.conf")
    assert "job: started" in container.exec("supervisorctl", "-c", conf, "restart", "job")
    modes = container.exec("stat", "-c", "%a", socket, conf)
    assert modes.split() == ["600", "600"]
    answers = []
    slow = threading.Thread(target=lambda: answers.append(container.get("/slow?seconds=2").body))
    slow.start()
    while "requests_in_flight 1" not in (page := container.get("/metrics", port=9090).body):
        assert slow.is_alive(), page
    assert container.stop() == 0, container.logs()
    slow.join(timeout=20)
    assert answers == ["begin\nend\n"]


@pytest.mark.parametrize(
    ("command", "code"),
    [pytest.param("kill -SEGV $$", 139, id="sigsegv"), pytest.param("exit 3", 3, id="exit-3")],
)
def test_the_container_ends_as_its_essential_program(run, with_programs, command, code):
    job = program("job", command, "essential = yes", "restarts = 0")
    container = run(options=with_programs(job))
    assert container.wait() == code


def test_what_is_asked_of_the_entrypoint_goes_to_ctl(run_to_end):
    status, output = run_to_end("ctl", "status")
    assert status == 69
    assert "no daemon answers" in output
