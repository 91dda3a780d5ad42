"""Workers that are replaced after their number of requests, under load, at bad moments."""

import os
import signal

import pytest
from app_process import APP, Call, is_running, wait_until
from steady_load import SteadyLoad

pytestmark = pytest.mark.process

RECYCLED = 'worker_replacements_total{reason="max_requests"}'


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_is_lost_while_workers_are_recycled(serve, workers):
    app = serve(
        health=True,
        PASTEBOX_WORKERS=str(workers),
        PASTEBOX_MAX_REQUESTS="50",
        PASTEBOX_MAX_REQUESTS_JITTER="20",
    )
    with SteadyLoad(app.port) as load:
        most = 0

        def recycled():
            nonlocal most
            most = max(most, app.metric("workers"))
            return app.metric(RECYCLED) >= 4

        wait_until(recycled, "four workers to be recycled")
    assert load.counts["lost"] == 0, load.details
    assert len(load.pids) >= 4  # the last successor may not have answered yet
    assert most <= workers + 1, "one at a time"
    assert app.metric("worker_restarts_total") == 0
    assert app.metric("generation") == 1
    assert app.stop() == 0


def test_a_long_request_outlives_its_worker(serve, tmp_path):
    """It is longer than the drain timeout, which is for stops."""
    app = serve(PASTEBOX_MAX_REQUESTS="1", PASTEBOX_DRAIN_TIMEOUT="0")
    gate, mark = tmp_path / "gate", tmp_path / "mark"
    call = Call(app.get, f"/slow?s=60&until={gate}&mark={mark}")
    wait_until(mark.exists, "the request to run")
    app.get()
    app.wait_log("worker recycled")
    gate.touch()
    assert call.result().text == "slow"


FAILS_LATER = APP.replace(
    "def main(global_conf, **conf):",
    "def main(global_conf, **conf):\n"
    "    if os.path.exists(conf['broken']):\n"
    "        raise RuntimeError('no database')",
)


def test_a_successor_that_fails_to_load_leaves_the_worker_where_it_is(serve, tmp_path):
    broken = tmp_path / "broken"
    app = serve(code=FAILS_LATER, app=f"broken = {broken}", health=True, PASTEBOX_MAX_REQUESTS="1")
    broken.touch()
    worker = int(app.get("/pid").text)
    app.wait_log(rf"worker not recycled, .* pid={worker} .* exit status 70, tried again in 1 s")
    assert int(app.get("/pid").text) == worker
    assert app.metric("worker_restarts_total") == 0
    broken.unlink()
    app.wait_log(rf"worker recycled pid={worker} ")
    wait_until(lambda: not is_running(worker), "the old one to end")
    assert int(app.get("/pid").text) != worker
    assert app.stop() == 0


HELD = APP.replace(
    "def main(global_conf, **conf):",
    "def main(global_conf, **conf):\n"
    "    if os.path.exists(conf['held']):\n"
    "        open(conf['held'] + '.seen', 'w').close()\n"
    "        while os.path.exists(conf['held']):\n"
    "            time.sleep(0.01)",
)


@pytest.fixture
def held(serve, tmp_path):
    """A server whose spent worker has a successor that is still loading."""
    gate = tmp_path / "held"
    app = serve(code=HELD, app=f"held = {gate}", health=True, PASTEBOX_MAX_REQUESTS="1")
    gate.touch()
    app.worker = int(app.get("/pid").text)
    app.gate = gate
    wait_until((tmp_path / "held.seen").exists, "the successor to load")
    return app


def test_term_while_the_successor_loads_ends_both(held):
    workers = held.children()
    assert len(workers) == 2
    assert held.stop() == 0
    assert not any(is_running(worker) for worker in workers)
    assert "killed" not in held.log()


def test_a_crash_while_the_successor_loads_has_no_second_successor(held):
    os.kill(held.worker, signal.SIGKILL)
    held.wait_log("worker died")
    held.gate.unlink()
    replaced = wait_until(lambda: int(held.get("/pid").text), "the successor")
    assert held.metric("worker_restarts_total") == 1
    held.wait_log(f"worker recycled pid={replaced} ")  # /pid has spent it
    wait_until(lambda: held.metric("workers") == 1, "one worker")
    assert held.stop() == 0


def test_hup_while_the_successor_loads_replaces_both(held):
    held.ini.write_text(held.ini.read_text().replace("held =", "word = two\nheld ="))
    before = held.children()
    loading = [one for one in before if one != held.worker]
    held.signal(signal.SIGHUP)
    held.wait_log("reloading")
    held.gate.unlink()
    held.wait_log("generation 1 drained")
    assert not any(is_running(worker) for worker in (held.worker, *loading))
    assert held.get().text == "two"
    assert held.stop() == 0
