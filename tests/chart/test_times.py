"""Times that depend on each other: one place computes them, and they agree with pastebox's own."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from chart_render import Values, render, with_ini

from pastebox.settings import SECONDS

pytestmark = pytest.mark.chart
ROOT = Path(__file__).parents[2]
OLD, NEW = "1.29", "1.30"


def drain(delay: object, timeout: object, **more: object) -> Values:
    return with_ini({"drain": {"delay": delay, "timeout": timeout, **more}})


@pytest.mark.parametrize("kube", [OLD, NEW])
@pytest.mark.parametrize(
    ("delay", "timeout"),
    [
        pytest.param("5s", "20s", id="default"),
        pytest.param("0s", "20s", id="no-delay"),
        pytest.param(10, 90, id="numbers"),
        pytest.param("1500ms", "1m30s", id="fractions"),
        pytest.param("1.5s", "0.2s", id="decimals"),
        pytest.param("1h", "1h30m", id="hours"),
    ],
)
def test_the_grace_period_is_the_delay_the_timeout_and_five_seconds(delay, timeout, kube):
    objects = render(drain(delay, timeout), kube=kube)
    seconds = [SECONDS.read(str(text)) for text in (delay, timeout)]
    sleep = pre_stop(objects.app)
    if sleep:
        assert sleep == math.ceil(seconds[0])
        seconds[0] = sleep
    assert objects.pod["terminationGracePeriodSeconds"] == math.ceil(sum(seconds) + 5)


@pytest.mark.parametrize("kube", [OLD, NEW])
@pytest.mark.parametrize("frontend", [False, True], ids=["alone", "frontend"])
def test_the_delay_is_waited_for_once(kube: str, *, frontend: bool):
    """By Kubernetes or by the process: together they are the delay, and 5 s after an nginx."""
    objects = render({**drain("7s", "20s"), "frontend": {"enabled": frontend}}, kube=kube)
    own = SECONDS.read(objects.env["PASTEBOX_DRAIN_DELAY"])
    assert own + pre_stop(objects.app) == 7 + 5 * frontend
    assert bool(pre_stop(objects.app)) == (kube == NEW)
    assert objects.pod["terminationGracePeriodSeconds"] == 32 + 5 * frontend


def pre_stop(container: dict) -> int:
    return container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)


def test_the_process_waits_where_it_is_told_to():
    objects = render(drain("5s", "20s", method="process"), kube=NEW)
    assert "lifecycle" not in objects.app
    assert objects.env["PASTEBOX_DRAIN_DELAY"] == "5s"


def test_the_process_asks_for_no_more_than_it_is_given(tmp_path: Path):
    """``pastebox explain`` says the least grace period for the very environment of the pod."""
    objects = render(drain("7s", "33s"), kube=OLD)
    ini = tmp_path / "app.ini"
    ini.write_text("[app:main]\nuse = egg:pastebox-wiki\n")
    env = {name: objects.env[name] for name in ("PASTEBOX_DRAIN_DELAY", "PASTEBOX_DRAIN_TIMEOUT")}
    words = [sys.executable, "-m", "pastebox", "explain", str(ini)]
    told = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"give it at least (\d+) s before KILL", told.stdout)
    assert found, told.stdout + told.stderr
    assert int(found[1]) == objects.pod["terminationGracePeriodSeconds"] == 45


def test_compose_comes_to_the_same():
    text = (ROOT / "compose.yaml").read_text()
    wiki = yaml.safe_load(text)["services"]["wiki"]
    env = wiki["environment"]
    objects = render(drain(env["PASTEBOX_DRAIN_DELAY"], env["PASTEBOX_DRAIN_TIMEOUT"]))
    assert objects.pod["terminationGracePeriodSeconds"] == SECONDS.read(wiki["stop_grace_period"])


def test_a_longer_grace_period_can_be_given():
    objects = render(with_ini({"terminationGracePeriodSeconds": 300}))
    assert objects.pod["terminationGracePeriodSeconds"] == 300


@pytest.mark.parametrize(
    ("setup", "budget"),
    [
        pytest.param({}, 60 + 600 + 600 + 60, id="leader"),
        pytest.param({"timeout": "1h"}, 60 + 3600 + 3600 + 60, id="long"),
        pytest.param({"lockTimeout": "30s"}, 60 + 30 + 600 + 60, id="short-wait"),
        pytest.param({"mode": "none"}, 60 + 60, id="none"),
        pytest.param({"mode": "job"}, 60 + 60, id="job"),
        pytest.param({"mode": "job", "useHooks": False}, 60 + 600 + 60, id="job-waited-for"),
        pytest.param({"mode": "initContainer"}, 60 + 60, id="init-container"),
    ],
)
def test_a_pod_has_the_time_that_its_setup_may_take(setup: dict, budget: int):
    objects = render(with_ini({"setup": setup}))
    probe = objects.app["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] == budget
    deadline = objects.workload["spec"]["progressDeadlineSeconds"]
    assert deadline > budget + objects.workload["spec"]["minReadySeconds"]
    if setup.get("mode") == "initContainer":
        assert deadline > budget + 600 + 600


def test_who_waits_for_the_lock_waits_as_long_as_the_setup_may_take():
    env = render(with_ini({"setup": {"timeout": "25m"}})).env
    assert env["PASTEBOX_LOCK_TIMEOUT"] == env["PASTEBOX_SETUP_TIMEOUT"] == "25m"


def test_nginx_has_as_long_as_the_application():
    objects = render({**drain("5s", "42s"), "frontend": {"enabled": True}})
    conf = objects.one("ConfigMap", "-frontend")["data"]["nginx.conf"]
    assert "worker_shutdown_timeout 42s;" in conf
