"""HEALTHCHECK as docker runs it: it says yes and no, costs little, and leaves nothing behind."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

RUNS = 500 if os.environ.get("PASTEBOX_TEST_FULL") else 50
SCRIPT = "/usr/local/bin/docker-entrypoint.sh"
INITS = [
    pytest.param([], id="tini"),
    pytest.param(["--entrypoint", SCRIPT], id="no-init"),
]


def test_docker_calls_it_healthy_within_seconds(run, toy):
    container = run(options=toy)
    container.wait_for_health("healthy", timeout=15)


@pytest.mark.slim_too
def test_docker_calls_it_unhealthy_when_the_application_fails(run, toy):
    options = ["--env", "PASTEBOX_READY_PATH=/broken", "--health-start-period", "1ms"]
    options += ["--health-interval", "500ms", "--health-retries", "2"]
    container = run(options=[*toy, *options])
    container.wait_for_health("unhealthy", timeout=30)
    output = container.inspect("{{(index .State.Health.Log 0).Output}}")
    assert "application: status 500" in output


@pytest.mark.timeout(900)
@pytest.mark.parametrize("init", INITS)
def test_health_leaves_no_zombie(run, toy, init):
    """Each run is an exec of its own, as the engine's own checks are."""
    container = run("serve", options=[*toy, *init])
    container.wait_for_log("listening on")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: container.exec("pastebox", "health"), range(RUNS)))
    assert len(answers) == RUNS
    assert container.zombies() == 0


@pytest.mark.parametrize("init", INITS)
def test_an_orphan_of_the_application_is_reaped(run, toy, init):
    container = run("serve", options=[*toy, *init])
    container.wait_for_log("listening on")
    for _ in range(5):
        assert "left one" in container.get("/orphan").body
    container.get("/slow?seconds=0.5")
    assert container.zombies() == 0


def test_one_run_costs_little_cpu(run, toy):
    """At most 25 ms beyond what the interpreter itself needs; the figure is printed."""
    container = run(options=toy)
    container.wait_for_log("listening on")
    script = (
        "import resource, subprocess, sys\n"
        "def cpu(command):\n"
        "    best = 9.0\n"
        "    for _ in range(15):\n"
        "        before = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)\n"
        "        after = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime\n"
        "        best = min(best, used)\n"
        "    return best\n"
        "bare = cpu([sys.executable, '-c', 'pass'])\n"
        "health = cpu(['pastebox', 'health'])\n"
        "print(round((health - bare) * 1000, 1))\n"
    )
    beyond_ms = float(container.exec("python", "-c", script))
    print(f"pastebox health: {beyond_ms} ms of CPU beyond the interpreter")
    assert beyond_ms <= 25
