"""The mounted INI becomes a served application: any user, read-only, with and without an init."""

from __future__ import annotations

import pytest

TINI = ["/usr/bin/tini", "--"]
SCRIPT = "/usr/local/bin/docker-entrypoint.sh"

USERS = [
    pytest.param([], "10001", id="own-user"),
    pytest.param(["--user", "1234567:0"], "1234567", id="arbitrary-user"),
    pytest.param(["--user", "1234567:7654321"], "1234567", id="arbitrary-group"),
    pytest.param(["--user", "0"], "0", id="root"),
]
INITS = [
    pytest.param([], ["serve"], id="tini"),
    pytest.param(["--entrypoint", SCRIPT], ["serve"], id="no-init"),
    pytest.param(["--init", "--entrypoint", SCRIPT], ["serve"], id="docker-init"),
    pytest.param(["--init"], ["serve"], id="both"),
]


@pytest.fixture
def hardened():
    """The options of the strictest platform."""
    return [
        *("--read-only", "--tmpfs", "/run", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges"),
    ]


@pytest.mark.parametrize(("user", "uid"), USERS)
@pytest.mark.parametrize(("init", "command"), INITS)
def test_it_serves_drains_and_ends_with_0(run, toy, hardened, user, uid, init, command):
    """A request that runs when TERM comes gets its whole answer, whoever is PID 1."""
    container = run(*command, options=[*toy, *hardened, *user, *init])
    container.wait_for_log("listening on")
    assert container.get().body == f"hello from the INI uid={uid}\n"
    assert container.stop_amid("/slow?seconds=1") == (0, "begin\nend\n"), container.logs()


def test_an_idle_stop_is_quick(run, toy):
    container = run(options=toy)
    container.wait_for_log("listening on")
    container.stop()
    line = container.wait_for_log("stopped exit=0")
    assert float(line.rpartition("seconds=")[2].split()[0]) < 60
    took = container.inspect("{{.State.FinishedAt}}")
    assert took


def test_the_port_comes_from_the_environment(run, toy):
    container = run(options=[*toy, "--env", "PASTEBOX_PORT=8081", "--expose", "8081"])
    assert ":8081" in container.wait_for_log("listening on")


@pytest.mark.slim_too
def test_a_request_is_logged_on_stdout(run, toy):
    container = run(options=toy)
    container.wait_for_log("listening on")
    container.get("/")
    assert "200" in container.wait_for_log("GET / HTTP/1.1")


@pytest.mark.slim_too
def test_the_health_port_is_reachable_from_outside(run, toy):
    container = run(options=toy)
    container.wait_for_log("listening on")
    for page in ("/livez", "/readyz", "/startupz", "/metrics", "/status"):
        assert container.get(page, port=9090).status == 200


@pytest.mark.slim_too
def test_a_second_start_of_the_same_container_serves_again(run, toy):
    container = run(options=toy)
    container.wait_for_log("listening on")
    assert container.stop() == 0
    container.start_again()
    container.wait_for_health("healthy")
    assert container.get().status == 200
