"""The pages for many instances: what each has answered in, one answer out."""

from __future__ import annotations

import json

import pytest

from pastebox.daemon.instances_metrics import labelled, merge
from pastebox.daemon.instances_pages import Seen, one_page, respond
from pastebox.health.result import ProbeResult, answered

READY = json.dumps({"ready": True, "checks": [{"name": "workers", "ok": True, "fact": "1"}]})
LOADING = json.dumps(
    {"ready": False, "checks": [{"name": "phase", "ok": False, "fact": "setup-app"}]}
)


def ready(name):
    return Seen(name, answered(200, "OK", READY.encode(), 0.0))


def loading(name):
    return Seen(name, answered(503, "Service Unavailable", LOADING.encode(), 0.0))


def gone(name):
    return Seen(name, ProbeResult(ok=False, reason="dead: unix:/x: no such file or directory"))


def hung(name):
    return Seen(name, ProbeResult(ok=False, reason="busy: unix:/x: no answer"))


def refused(name):
    return Seen(name, None, "port: found none")


def page(path, fail, *seen, query="", accept=""):
    found = respond(path, query, accept, fail, seen)
    return found.status, found.body.decode()


@pytest.mark.parametrize(
    ("seen", "of_any", "of_all"),
    [
        pytest.param([ready("a"), ready("b")], 200, 200, id="all well"),
        pytest.param([ready("a"), loading("b")], 503, 200, id="one starts"),
        pytest.param([ready("a"), gone("b")], 503, 200, id="one is gone"),
        pytest.param([ready("a"), refused("b")], 503, 200, id="one is refused"),
        pytest.param([loading("a"), gone("b")], 503, 503, id="none is ready"),
        pytest.param([], 503, 503, id="there is none"),
    ],
)
def test_ready_follows_the_policy(seen, of_any, of_all):
    assert page("/readyz", "any", *seen)[0] == of_any
    assert page("/readyz", "all", *seen)[0] == of_all


def test_ready_names_those_that_are_not():
    seen = [ready("a"), loading("b"), refused("c")]
    assert page("/readyz", "any", *seen)[1] == (
        "not ready: b: phase: setup-app; c: refused: port: found none\n"
    )
    assert page("/readyz", "all", *seen)[1].startswith("ok, but for b: phase: setup-app")
    assert page("/readyz", "all", *seen, query="verbose")[1].splitlines() == [
        "[+]a ok",
        "[-]b failed: phase: setup-app",
        "[-]c failed: refused: port: found none",
        "readyz check passed",
    ]
    facts = json.loads(page("/readyz", "any", *seen, accept="application/json")[1])
    assert facts["ready"] is False
    assert [one["ok"] for one in facts["checks"]] == [True, False, False]


@pytest.mark.parametrize(
    ("seen", "of_any", "of_all"),
    [
        pytest.param([ready("a"), gone("b")], 200, 200, id="supervised, started again"),
        pytest.param([ready("a"), hung("b")], 503, 200, id="one hangs"),
        pytest.param([gone("a"), hung("b")], 503, 503, id="one hangs and nobody is well"),
        pytest.param([gone("a"), refused("b")], 200, 200, id="nobody is there"),
    ],
)
def test_live_leaves_the_dead_to_supervisor(seen, of_any, of_all):
    assert page("/livez", "any", *seen)[0] == of_any
    assert page("/livez", "all", *seen)[0] == of_all


def test_startup_has_the_facts_of_each():
    status, text = page("/startupz", "all", ready("a"), gone("b"))
    facts = json.loads(text)
    assert (status, facts["started"], sorted(facts["instances"])) == (200, True, ["a", "b"])


def test_status_escapes_what_others_say():
    evil = Seen("b", None, "<script>")
    status, text = page("/status", "all", ready("a"), evil)
    assert status == 200
    assert "1 of 2 instances are ready" in text
    assert "<script>" not in text


def test_one_page_is_passed_on():
    found = one_page("/readyz", ready("a"))
    assert (found.status, found.content_type) == (200, "application/json")
    assert one_page("/metrics", loading("a")).content_type.startswith("text/plain; version")
    assert one_page("/readyz", gone("a")).status == 503
    assert b"refused" in one_page("/readyz", refused("a")).body


@pytest.mark.parametrize(
    ("sample", "with_label"),
    [
        ("up 1", 'up{instance="a"} 1'),
        ('up{x="1"} 1', 'up{instance="a",x="1"} 1'),
        ("up{} 1", 'up{instance="a"} 1'),
        ("up 1 # {", 'up{instance="a"} 1 # {'),
    ],
)
def test_a_sample_gets_the_label(sample, with_label):
    assert labelled(sample, "a") == with_label


PAGE = """\
# HELP h_seconds Time.
# TYPE h_seconds histogram
h_seconds_bucket{le="1"} 1
h_seconds_count 1
# HELP up Up.
# TYPE up gauge
up 1
"""


def test_metrics_have_each_family_once():
    lines = merge({"a": PAGE, "b": PAGE}, ["a", "b", "c"]).splitlines()
    assert lines == [
        "# HELP pastebox_instance_up Whether the instance has told its metrics.",
        "# TYPE pastebox_instance_up gauge",
        'pastebox_instance_up{instance="a"} 1',
        'pastebox_instance_up{instance="b"} 1',
        'pastebox_instance_up{instance="c"} 0',
        "# HELP h_seconds Time.",
        "# TYPE h_seconds histogram",
        'h_seconds_bucket{instance="a",le="1"} 1',
        'h_seconds_count{instance="a"} 1',
        'h_seconds_bucket{instance="b",le="1"} 1',
        'h_seconds_count{instance="b"} 1',
        "# HELP up Up.",
        "# TYPE up gauge",
        'up{instance="a"} 1',
        'up{instance="b"} 1',
    ]
