"""What becomes of workers: replaced, given up, orphaned, many; and how a failing start ends."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from app_process import APP, Call, children_of, is_running, stat_of, wait_until

pytestmark = pytest.mark.process

BROKEN = (http.client.HTTPException, OSError)


def test_killed_worker_is_replaced(serve):
    app = serve(health=True)
    worker = int(app.get("/pid").text)
    os.kill(worker, signal.SIGKILL)
    app.wait_log(rf"worker died pid={worker} killed by SIGKILL")
    replaced = wait_until(lambda: int(app.get("/pid").text), "the successor")
    assert replaced != worker
    assert app.metric("worker_restarts_total") == 1
    assert app.stop() == 0


def test_term_to_a_worker_alone_is_no_stop(serve):
    """A signal to the whole group reaches the worker too; the master gives the orders."""
    app = serve()
    worker = int(app.get("/pid").text)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(worker, number)
    assert int(app.get("/pid").text) == worker
    assert app.stop() == 0


def test_programs_started_by_the_application_can_be_terminated(serve):
    app = serve()
    assert app.get("/child").text == str(-signal.SIGTERM)
    assert app.stop() == 0


def test_term_to_the_whole_group_loses_nothing(serve, tmp_path):
    app = serve()
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    os.killpg(app.pid, signal.SIGTERM)
    assert app.wait_exit() == 0
    assert call.result().text == "slow"


def test_crash_loop_ends_with_the_workers_own_code(serve):
    app = serve(PASTEBOX_WORKER_RESTARTS="1")
    with pytest.raises(BROKEN):
        app.get("/crash")
    app.wait_log("a new worker starts")
    with pytest.raises(BROKEN):
        app.get("/crash")
    assert app.wait_exit() == 9
    assert "giving up: workers died too often" in app.log()


def test_worker_that_dies_by_a_signal_ends_the_master_with_128_and_it(serve):
    app = serve(PASTEBOX_WORKER_RESTARTS="0")
    os.kill(int(app.get("/pid").text), signal.SIGSEGV)
    assert app.wait_exit() == 128 + signal.SIGSEGV


FAILURES = [
    pytest.param("1 / 0\n" + APP, 70, "ZeroDivisionError", id="raises at import"),
    pytest.param("import nosuchmodule\n" + APP, 70, "No module named 'nosuchmodule'", id="import"),
    pytest.param("def main(:\n", 70, "SyntaxError", id="syntax error"),
    pytest.param("import sys\nsys.exit(3)\n", 3, "", id="SystemExit(3)"),
    pytest.param("import sys\nsys.exit('my last words')\n", 1, "my last words", id="last words"),
    pytest.param(
        "def main(global_conf):\n    raise RuntimeError('no database')\n",
        70,
        "RuntimeError: no database",
        id="factory raises",
    ),
    pytest.param("import os\nos._exit(9)\n", 9, "", id="_exit"),
]


@pytest.mark.parametrize("code", ["1 / 0\n", "import nosuchmodule\n"])
def test_traceback_of_an_import_begins_with_the_application(start, code):
    app = start(code=code)
    assert app.wait_exit() == 70
    assert re.findall(r'File "[^"]*?([^/"]+)", line', app.log()) == ["theapp.py"]


@pytest.mark.parametrize(("code", "status", "told"), FAILURES)
def test_application_that_does_not_load_ends_the_start(start, code, status, told):
    app = start(code=code)
    assert app.wait_exit() == status
    assert told in app.log()


def test_traceback_at_load_is_the_applications_own(start, tmp_path):
    (tmp_path / "deeper.py").write_text("def go():\n    import nosuchmodule\n")
    app = start(code="import deeper\n\ndef main(global_conf):\n    deeper.go()\n")
    assert app.wait_exit() == 70
    log = app.log()
    assert log.count("Traceback (most recent call last)") == 1
    files = re.findall(r'File "([^"]+)", line', log)
    assert [os.path.basename(name) for name in files] == ["theapp.py", "deeper.py"]
    assert "error: " in log
    assert "app:main" in log


def test_master_that_is_killed_leaves_no_orphan(serve, tmp_path):
    app = serve()
    worker = int(app.get("/pid").text)
    call = Call(app.get, f"/slow?s=1&mark={tmp_path}/mark")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.signal(signal.SIGKILL)
    assert call.result().text == "slow", "the worker drains"
    wait_until(lambda: not is_running(worker), "the worker to end by itself")
    app.wait_exit()


def test_two_workers_both_serve_and_both_end(serve):
    app = serve(PASTEBOX_WORKERS="2")
    assert "workers=2" in app.log()
    workers = set(app.children())

    def both():
        calls = [Call(app.get, "/pid?s=0.2") for _ in range(8)]
        return {int(call.result().text) for call in calls} == workers

    wait_until(both, "answers of both workers")
    assert app.stop() == 0
    assert not any(is_running(worker) for worker in workers)


def test_health_says_no_orphan_generation_after_many_crashes(serve):
    app = serve(health=True, PASTEBOX_WORKER_RESTARTS="3")
    for number in range(1, 4):
        with pytest.raises(BROKEN):
            app.get("/crash")
        app.wait_log("a new worker starts", count=number)
        wait_until(lambda: app.metric("workers") == 1, "the successor")
        app.get()
    # the answer is out a moment before its account
    wait_until(lambda: app.metric("requests_in_flight") == 0, "the account of the last request")
    assert app.stop() == 0


def _needs_namespaces():
    if os.geteuid() or shutil.which("unshare") is None:
        return "needs root and unshare"
    done = subprocess.run(
        ["unshare", "-pf", "--mount-proc", "true"], capture_output=True, text=True, check=False
    )
    return done.stderr.strip() if done.returncode else ""


pid_1 = pytest.mark.skipif(bool(_needs_namespaces()), reason=_needs_namespaces() or "-")
AS_PID_1 = ("unshare", "-pf", "--mount-proc", "--kill-child")


def _the_first(app):
    return wait_until(app.children, "PID 1 of the name space")[0]


@pid_1
def test_pid_1_handles_term(serve):
    app = serve(wrapper=AS_PID_1)
    os.kill(_the_first(app), signal.SIGTERM)
    assert app.wait_exit() == 0
    assert "stopped exit=0" in app.log()


ORPHANS = """\
import os
def do_orphan(self, environ, start_response, query):
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            os._exit(0)  # its parent is gone, or about to be
        os._exit(0)
    os.waitpid(pid, 0)
    return self.text(start_response, "left one")
App.do_orphan = do_orphan
"""


def _zombies_of(pid):
    return [one for one in children_of(pid) if stat_of(one)[:1] == ["Z"]]


@pid_1
def test_pid_1_reaps_orphans(serve):
    app = serve(wrapper=AS_PID_1, code=APP + ORPHANS)
    first = _the_first(app)
    for _ in range(10):
        assert app.get("/orphan").text == "left one"
    wait_until(lambda: not _zombies_of(first), "every orphan to be reaped")
    os.kill(first, signal.SIGTERM)
    assert app.wait_exit() == 0


@pid_1
def test_zombies_are_seen_under_a_pid_1_that_does_not_reap():
    """The negative control: the same orphans, under a process that does not wait."""
    code = (
        "import os, sys, time\n"
        "for _ in range(10):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        if os.fork() == 0:\n"
        "            os._exit(0)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen([*AS_PID_1, sys.executable, "-c", code], stdin=subprocess.PIPE)
    try:
        first = wait_until(lambda: children_of(process.pid), "PID 1")[0]
        wait_until(lambda: len(_zombies_of(first)) == 10, "ten zombies")
    finally:
        process.stdin.close()
        process.wait(30)
