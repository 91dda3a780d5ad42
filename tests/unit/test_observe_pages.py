"""The pages: what each answers at which state, in forms that machines can read."""

import html.parser
import json
import re

import pytest

from pastebox import __version__
from pastebox.observe import status as phases
from pastebox.observe.counters import Counters
from pastebox.observe.pages import respond
from pastebox.observe.snapshot import Check
from pastebox.observe.status import Status


class Clock:
    now = 0.0

    def __call__(self):
        return self.now

    def wall(self):
        return self.now + 1_763_712_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def status(clock):
    status = Status(clock, wall=clock.wall)
    status.counters = Counters(2)
    return status


@pytest.fixture
def serving(status, clock):
    clock.now += 3
    status.enter(phases.LOADING)
    status.generation_started(1)
    status.worker_started(0, 4711)
    status.generation_ready(1)
    status.enter(phases.SERVING)
    return status


def ask(status, path, query="", accept="", application=None):
    page = respond(path, query, accept, status.snapshot(), application)
    text = page.body.decode()
    assert text.endswith("\n")
    return page.status, text


def test_livez_says_ok_during_setup(status):
    status.enter(phases.SETUP_APP)
    assert ask(status, "/livez") == (200, "ok\n")


def test_livez_says_why_not(serving, clock):
    serving.worker_heartbeat(4711)
    clock.now += 31
    assert ask(serving, "/livez") == (503, "worker 4711 is stuck: no heartbeat for 31 s\n")


def test_startupz_names_the_phase_and_the_time_it_has_taken(status, clock):
    clock.now += 2
    status.enter(phases.SETUP_APP, "creating tables")
    clock.now += 30
    code, text = ask(status, "/startupz")
    facts = json.loads(text)
    assert code == 503
    assert facts == {
        "started": False,
        "phase": "setup-app",
        "detail": "creating tables",
        "since": "2025-11-21T08:00:02.000Z",
        "elapsed": 32.0,
        "phase_elapsed": 30.0,
        "phases": {"starting": 2.0, "setup-app": 30.0},
    }


def test_startupz_stays_200_after_the_first_ready_even_while_draining(serving, clock):
    clock.now += 10
    serving.drain_started()
    code, text = ask(serving, "/startupz")
    assert code == 200
    assert json.loads(text)["elapsed"] == 3.0


@pytest.mark.parametrize("path", ["/readyz", "/healthz"])
def test_readyz_is_ok_or_the_reason(status, serving, path):
    assert ask(serving, path) == (200, "ok\n")
    serving.drain_started()
    assert ask(serving, path) == (503, "not ready: draining: phase draining\n")


def test_readyz_verbose_names_each_check(status):
    status.enter(phases.LOADING)
    code, text = ask(status, "/readyz", "verbose")
    assert code == 503
    assert text.splitlines() == [
        "[-]started failed: phase loading",
        "[-]listener failed: phase loading",
        "[-]workers failed: 0 alive",
        "[+]draining ok",
        "readyz check failed",
    ]


def test_readyz_includes_what_the_application_said(serving):
    code, text = ask(
        serving, "/readyz", "verbose=1", application=Check("application", ok=True, fact="ok")
    )
    assert code == 200
    assert "[+]application ok\nreadyz check passed\n" in text
    busy = Check("application", ok=False, fact="busy: no answer")
    assert ask(serving, "/readyz", application=busy) == (
        503,
        "not ready: application: busy: no answer\n",
    )


def test_readyz_as_json(serving):
    code, text = ask(serving, "/readyz", accept="text/html, application/json;q=0.9")
    facts = json.loads(text)
    assert code == 200
    assert facts["ready"] is True
    assert [check["name"] for check in facts["checks"]] == [
        "started",
        "listener",
        "workers",
        "draining",
    ]


def test_an_unknown_page_lists_the_known_ones(serving):
    code, text = ask(serving, "/metricz")
    assert code == 404
    assert "/metrics" in text
    assert ask(serving, "/")[0] == 200


SAMPLE = re.compile(r'(pastebox_\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? ([0-9.e+-]+)')


def samples(status):
    """Read the page the way a scraper does: families in blocks, help and type first."""
    code, text = ask(status, "/metrics")
    assert code == 200
    found = {}
    family = kind = ""
    seen = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen
            seen.add(family)
        elif line.startswith("# TYPE "):
            assert line.split()[2] == family
            kind = line.split()[3]
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            assert (
                name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") == family
            )
            assert (kind == "counter") == name.endswith("_total")
            key = f"{name}{{{labels}}}" if labels else name
            assert key not in found
            found[key] = float(value)
    return found


def test_metrics_have_what_an_alert_needs(serving, clock):
    slot = serving.counters.slot(0)
    for code, seconds in ((200, 0.004), (200, 0.2), (404, 0.3), (500, 60.0)):
        slot.started()
        slot.finished(code, 100, seconds)
    slot.started()
    clock.now += 7
    found = samples(serving)
    assert found['pastebox_phase{phase="serving"}'] == 1
    assert sum(value for name, value in found.items() if name.startswith("pastebox_phase{")) == 1
    assert found['pastebox_phase_seconds_total{phase="serving"}'] == 7
    assert found["pastebox_startup_seconds"] == 3
    assert found["pastebox_generation"] == 1
    assert found["pastebox_workers"] == 1
    assert found["pastebox_ready"] == 1
    assert found['pastebox_requests_total{class="2xx"}'] == 2
    assert found["pastebox_requests_in_flight"] == 1
    assert found["pastebox_response_bytes_total"] == 400
    assert found['pastebox_request_duration_seconds_bucket{le="0.005"}'] == 1
    assert found['pastebox_request_duration_seconds_bucket{le="0.25"}'] == 2
    assert found['pastebox_request_duration_seconds_bucket{le="30"}'] == 3
    assert found['pastebox_request_duration_seconds_bucket{le="+Inf"}'] == 4
    assert found["pastebox_request_duration_seconds_count"] == 4
    assert found["pastebox_request_duration_seconds_sum"] == pytest.approx(60.504)
    assert any(f'version="{__version__}"' in name for name in found)


def test_metrics_count_drains_and_what_they_cut_off(serving, clock):
    serving.drain_started()
    clock.now += 2
    serving.drain_ended(5)
    found = samples(serving)
    assert found["pastebox_drains_total"] == 1
    assert found["pastebox_last_drain_seconds"] == 2
    assert found["pastebox_requests_cut_off_total"] == 5
    assert found["pastebox_ready"] == 0


def test_metrics_before_there_are_workers(clock):
    found = samples(Status(clock, wall=clock.wall))
    assert found["pastebox_generation"] == 0
    assert 'pastebox_requests_total{class="2xx"}' not in found


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.text = ""
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def read(status, application=None):
    code, text = ask(status, "/status", application=application)
    assert code == 200
    reader = Reader()
    reader.feed(text)
    return reader


def test_the_status_page_answers_the_first_questions_of_who_is_on_call(serving):
    serving.set_facts(
        ini="/etc/pastebox/app.ini",
        binds=["0.0.0.0:8080"],
        settings=[("drain_timeout", "20", "default"), ("set", "app:main|pw=geheim", "argument")],
        versions={"waitress": "3.0.2"},
    )
    serving.trouble("worker 12 ended: killed by signal 9")
    text = read(serving).text
    for fact in (
        "Serving",
        "4711",
        "0.0.0.0:8080",
        "/etc/pastebox/app.ini",
        "drain_timeout",
        "waitress 3.0.2",
        "killed by signal 9",
        "2025-11-21 08:00:03 UTC",
    ):
        assert fact in text
    assert "geheim" not in text


def test_the_status_page_lets_no_markup_in(serving):
    serving.set_facts(ini="<script>x</script>", binds=["<b>"], settings=[("<i>", "&", '"<u>')])
    serving.trouble("<script>alert(1)</script>\ud800")
    serving.progress("<em>")
    tags = set(read(serving).tags)
    assert tags.isdisjoint({"script", "i", "u", "em"})


@pytest.mark.parametrize("phase", phases.PHASES)
def test_the_status_page_has_a_headline_for_every_phase(status, phase):
    status.enter(phase)
    assert read(status).text.strip()


def test_the_status_page_does_not_say_serving_when_the_application_says_no(serving):
    assert "Serving" in read(serving, Check("application", ok=True, fact="ok, 3 s ago")).text
    text = read(serving, Check("application", ok=False, fact="status 500, 3 s ago")).text
    assert "Not ready: the application" in text
    assert "status 500, 3 s ago" in text
    assert "Serving" not in text
