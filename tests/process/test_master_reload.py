"""HUP: a new generation first, then the old one drains; and USR1."""

import errno
import http.client
import signal
import socket
import threading

import pytest
from app_process import APP, LOGGERS, Answer, Call, free_port, wait_until

pytestmark = pytest.mark.process


def hup(app):
    app.signal(signal.SIGHUP)


def test_new_code_is_served_after_a_reload(serve):
    app = serve()
    assert app.get().text == "one"
    app.module.write_text(APP.replace('WORD = "one"', 'WORD = "second"'))
    hup(app)
    app.wait_log("generation 1 drained")
    assert app.get().text == "second"
    assert app.stop() == 0


def test_new_ini_is_served_after_a_reload(serve):
    app = serve(app="word = before")
    assert app.get().text == "before"
    app.ini.write_text(app.ini.read_text().replace("before", "after"))
    hup(app)
    app.wait_log("generation 1 drained")
    assert app.get().text == "after"
    assert app.stop() == 0


def test_no_connection_is_refused_and_no_answer_lost_while_reloading(serve):
    app = serve()
    over = threading.Event()

    def hammer():
        count = 0
        while not over.is_set():
            assert app.get().text == "one"
            count += 1
        return count

    def keep_alive():
        count, connection = 0, app.connection()
        while not over.is_set():
            connection.request("GET", "/")
            answer = Answer(connection.getresponse())
            assert answer.text == "one"
            if answer.says_close:
                connection.close()
            count += 1
        connection.close()
        return count

    calls = [Call(hammer), Call(hammer), Call(keep_alive), Call(keep_alive)]
    for number in range(3):
        hup(app)
        app.wait_log(f"generation {number + 1} drained")
    over.set()
    assert all(call.result() > 10 for call in calls)
    assert app.stop() == 0


def test_old_requests_finish_in_the_old_generation(serve, tmp_path):
    app = serve()
    before = app.get("/pid").text
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the request to run")
    hup(app)
    app.wait_log("generation 2 serves, generation 1 drains")
    # the old one still takes what waits to be accepted
    wait_until(lambda: app.get("/pid").text != before, "an answer of the new generation")
    (tmp_path / "until").touch()
    assert call.result().text == "slow"
    app.wait_log("generation 1 drained")
    assert app.stop() == 0


BREAKAGES = [
    pytest.param("module", "def main(:\n", "SyntaxError", id="syntax error in the application"),
    pytest.param("module", "raise SystemExit(3)\n", "exit status 3", id="SystemExit at import"),
    pytest.param("ini", "[app:main\n", "app.ini:1", id="syntax error in the INI"),
    pytest.param("server", "treads = 3\n", "did you mean threads", id="unknown option"),
    pytest.param("server", "threads = many\n", 'found "many"', id="bad value"),
    pytest.param("app", "x = %(missing)s\n", "missing", id="undefined variable"),
]


@pytest.mark.parametrize(("what", "text", "told"), BREAKAGES)
def test_failing_generation_leaves_the_old_one_serving(serve, what, text, told):
    app = serve(health=True)
    pid = app.get("/pid").text
    good = app.module.read_text(), app.ini.read_text()
    if what == "module":
        app.module.write_text(text)
    elif what == "ini":
        app.ini.write_text(text)
    elif what == "server":
        app.ini.write_text(good[1].replace("threads = 4", text))
    else:
        app.ini.write_text(good[1].replace("theapp:main\n", "theapp:main\n" + text))
    hup(app)
    app.wait_log(r"reload refused|failed to load, the one before goes on")
    assert told in app.log()
    assert app.get("/pid").text == pid
    wait_until(lambda: app.health("/readyz").status == 200, "readiness")
    app.module.write_text(good[0])
    app.ini.write_text(good[1])
    hup(app)
    app.wait_log("generation 1 drained")
    wait_until(lambda: app.get("/pid").text != pid, "an answer of the new generation")
    assert app.stop() == 0


def test_second_hup_while_one_is_under_way_is_not_lost(serve, tmp_path):
    """What was changed between the two must be served in the end."""
    app = serve()
    app.module.write_text(
        f"open({str(tmp_path / 'mark')!r}, 'w').close()\n"
        f"import os, time\nwhile not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n"
        + APP.replace('"one"', '"second"')
    )
    hup(app)
    wait_until((tmp_path / "mark").exists, "the second generation to load")
    app.module.write_text(APP.replace('"one"', '"the third"'))
    hup(app)
    app.wait_log("reload follows")
    (tmp_path / "go").touch()
    app.wait_log("generation 3 serves")
    wait_until(lambda: app.get().text == "the third", "the last state of the code")
    assert app.stop() == 0


def test_changed_address_is_served_and_the_old_ones_requests_finish(serve, tmp_path):
    app = serve()
    old, new = app.port, free_port()
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the request to run")
    app.ini.write_text(app.ini.read_text().replace("port = 0", f"port = {new}"))
    hup(app)
    app.wait_log(f"listening on 127.0.0.1:{new} from now on")
    assert app.get(port=new).text == "one"
    wait_until(lambda: is_refused(old), "the old address to be closed")
    (tmp_path / "until").touch()
    assert call.result().text == "slow"
    assert app.stop() == 0


def is_refused(port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


@pytest.mark.parametrize("why", ["taken", "generation fails"])
def test_new_address_that_is_not_to_be_had_leaves_the_old_one(serve, why):
    app = serve()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        new = other.getsockname()[1]
        if why == "taken":
            other.listen()
        else:
            other.close()
            app.module.write_text("raise SystemExit(3)\n")
        app.ini.write_text(app.ini.read_text().replace("port = 0", f"port = {new}"))
        hup(app)
        app.wait_log("reload refused, .* in use|failed to load, the one before goes on")
        assert app.get().text == "one"
    wait_until(lambda: is_refused(new), "the new address to be closed")
    assert app.stop() == 0


def test_address_that_overlaps_with_the_present_one_is_told(serve):
    app = serve(server=f"host = 127.0.0.1\nport = {free_port()}")
    app.ini.write_text(app.ini.read_text().replace("host = 127.0.0.1", "host = 0.0.0.0"))
    hup(app)
    app.wait_log("reload refused.*it overlaps with 127.0.0.1:")
    assert app.get().text == "one"
    assert app.stop() == 0


def test_setting_that_the_master_has_taken_is_named(serve):
    app = serve(more="[pastebox]\nworker_restarts = 5\n")
    app.ini.write_text(app.ini.read_text().replace("restarts = 5", "restarts = 6"))
    hup(app)
    app.wait_log("takes a restart, and stays as it is: worker_restarts")
    app.wait_log("generation 1 drained")
    assert app.stop() == 0


def test_term_while_a_generation_loads_stops_both(serve, tmp_path):
    app = serve()
    app.module.write_text(
        f"open({str(tmp_path / 'mark')!r}, 'w').close()\nimport time\ntime.sleep(300)\n"
    )
    hup(app)
    wait_until((tmp_path / "mark").exists, "the second generation to load")
    assert app.stop() == 0


def test_hup_while_no_worker_is_alive_leaves_no_trace(serve):
    """The generation whose last worker died before its successor came is over too."""
    app = serve(PASTEBOX_WORKER_RESTARTS="100")
    for number in range(1, 7):  # until the successor is seconds away
        with pytest.raises((http.client.HTTPException, OSError)):
            app.get("/crash")
        found = app.wait_log(r"a new worker starts in (\S+) s", count=number)
        if float(found[1]) > 2:
            break
        wait_until(lambda: _answers(app), "the successor")
    hup(app)
    app.wait_log("generation 1 drained")
    assert app.get().text == "one"
    assert app.stop() == 0


def _answers(app):
    connection = app.connection(0.5)
    try:
        connection.request("GET", "/")
        return Answer(connection.getresponse()).text == "one"
    except OSError:
        return False
    finally:
        connection.close()


def test_term_while_no_worker_is_alive_ends_with_0(serve):
    app = serve(PASTEBOX_WORKER_RESTARTS="100")
    for number in range(1, 7):
        with pytest.raises((http.client.HTTPException, OSError)):
            app.get("/crash")
        found = app.wait_log(r"a new worker starts in (\S+) s", count=number)
        if float(found[1]) > 2:
            break
        wait_until(lambda: _answers(app), "the successor")
    assert app.stop() == 0


def test_usr1_reopens_log_files(serve, tmp_path):
    app = serve(more=LOGGERS)
    log, moved = tmp_path / "app.log", tmp_path / "app.log.1"
    app.get("/log?text=early")
    assert "WARNING theapp the application says early" in log.read_text()
    log.rename(moved)
    app.signal(signal.SIGUSR1)
    wait_until(log.exists, "the new log file")
    app.get("/log?text=late")
    assert "late" in log.read_text()
    assert "late" not in moved.read_text()
    assert app.stop() == 0


def test_usr1_while_a_worker_loads_does_not_kill_it(start, tmp_path):
    code = (
        f"open({str(tmp_path / 'mark')!r}, 'w').close()\nimport os, time\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.01)\n" + APP
    )
    app = start(code=code)
    wait_until((tmp_path / "mark").exists, "the import to begin")
    app.signal(signal.SIGUSR1)
    (tmp_path / "go").touch()
    app.wait_listening()
    assert app.get().text == "one"
    assert app.stop() == 0
