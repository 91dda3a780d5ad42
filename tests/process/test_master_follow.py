"""The development loop: what is saved answers the next request; what is broken breaks nothing."""

import http.client
import re
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from app_process import APP, LIVE_RELOAD, Call, wait_until
from contract_cases import CASES, ini_of, need
from contract_wire import Place

pytestmark = pytest.mark.process

PAGE = """\
import helper
def main(global_conf, **conf):
    def app(environ, start_response):
        body = b"<!doctype html><html><body class='x'><p>%s</p></body></html>" % helper.WORD
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response("200 OK", [*headers, ("ETag", '"same"')])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
    return app
"""
modes = pytest.mark.parametrize("mode", ["events", "poll"])


def saved(app, word, *, name="theapp.py"):
    """Save the application by rename, as editors do."""
    text = APP.replace('"one"', f'"{word}"')
    new = app.directory / (name + "~")
    new.write_text(text)
    new.rename(app.directory / name)


@modes
def test_saved_code_answers(serve, mode):
    app = serve(PASTEBOX_RELOAD=mode)
    app.wait_log("watching files=")
    for number in range(3):
        saved(app, f"word {number}")
        wait_until(lambda number=number: app.get().text == f"word {number}", "the new code")
    assert "drained cut=" not in app.log()
    assert app.stop() == 0


def test_several_workers_change_together(serve):
    app = serve(PASTEBOX_WORKERS="2", PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    saved(app, "second")
    wait_until(lambda: app.get().text == "second", "the new code")
    assert {app.get().text for _ in range(20)} == {"second"}
    assert app.stop() == 0


def test_watcher_ends_with_the_master(serve):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    children = app.children()
    assert len(children) >= 2
    app.kill()
    wait_until(lambda: not any(alive(pid) for pid in children), "the end of all children")


def alive(pid):
    from app_process import is_running

    return is_running(pid)


@modes
def test_no_request_fails_while_edits_break_and_mend(serve, mode):
    """Half of the edits do not load; the one before answers then, and nobody is refused."""
    app = serve(PASTEBOX_RELOAD=mode)
    app.wait_log("watching files=")
    over = threading.Event()
    calls = [Call(hammer, app, over) for _ in range(2)]
    rounds = 5 if mode == "events" else 2
    for number in range(rounds):
        (app.directory / "theapp.py").write_text("def main(:\n")
        app.wait_log("failed to load, the one before goes on", count=number + 1)
        saved(app, f"good {number}")
        wait_until(lambda number=number: app.get().text == f"good {number}", "the mended code")
    over.set()
    assert all(call.result() > 10 for call in calls)
    assert app.stop() == 0


def hammer(app, over):
    count = 0
    while not over.is_set():
        answer = app.get()
        assert answer.status == 200
        assert re.fullmatch(r"one|good \d", answer.text)
        count += 1
    return count


HOLDING = [case for case in CASES if "binds by itself" not in str(case.exceptions)]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in HOLDING])
def test_next_request_waits_for_the_new_code(serve, case):
    """The request after the save must not be answered by what was there before.

    When the new code fails after all, the code before answers who has waited.
    """
    need(case)
    app = serve(ini=ini_of(case), PASTEBOX_RELOAD="events")
    app.wait_log("watching files=2")
    client = case.client(Place(port=app.port))
    assert client.ask().text == "one"
    for word in ("second", "third", "fourth", "fifth"):
        if answers_while_loading(app, client.ask, word) == [word] * 2:
            break
    else:
        pytest.fail("four times out of four, the old code has answered")
    app.wait_log("generation 1 drained")
    assert answers_while_loading(app, client.ask, "broken", "raise RuntimeError") == [word] * 2
    app.wait_log("failed to load, the one before goes on")
    assert app.stop() == 0


def answers_while_loading(app, ask, word, code=""):
    """Save code that takes its time to load, and return what is answered to who comes meanwhile.

    A server that hears of the hold late, since the machine is busy, has taken them before.
    """
    mark, go = app.directory / "mark", app.directory / "go"
    app.module.write_text(
        f"import os, time\nopen({str(mark)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"{code}\n" + APP.replace('"one"', f'"{word}"')
    )
    wait_until(mark.exists, "the new code to load")
    calls = two_in_the_queue(ask, app.port)
    calls[0].join(0.2)
    go.touch()
    answers = [call.result().text for call in calls]
    mark.unlink()
    go.unlink()
    return answers


def two_in_the_queue(ask, port):
    """Return two calls that nobody has accepted; one that comes before the hold is answered."""
    calls = []

    def are_there():
        calls[:] = [call for call in calls if call.is_alive()]
        calls.extend(Call(ask) for _ in range(2 - len(calls)))
        return accept_queue(port) == 2

    wait_until(are_there, "two requests to wait for the new code")
    return calls


def accept_queue(port):
    """Return how many connections wait to be accepted (proc(5): of a listener, rx_queue)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    listening = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]
    return sum(int(row[4].partition(":")[2], 16) for row in listening)


def test_wait_for_new_code_has_a_limit(serve, tmp_path):
    app = serve(PASTEBOX_RELOAD="events", PASTEBOX_RELOAD_WAIT="0.2s")
    app.wait_log("watching files=")
    app.module.write_text("import time\ntime.sleep(300)\n")
    app.wait_log("still loading after 0.2 s: the old code answers meanwhile")
    assert app.get().text == "one"
    saved(app, "at last")
    wait_until(lambda: app.get().text == "at last", "the code that loads")
    assert app.stop() == 0


def test_second_save_replaces_a_generation_that_still_loads(serve, tmp_path):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    app.module.write_text(
        f"open({str(tmp_path / 'mark')!r}, 'w').close()\nimport time\ntime.sleep(300)\n"
    )
    wait_until((tmp_path / "mark").exists, "the first save to load")
    saved(app, "second")
    assert wait_until(lambda: app.get().text == "second", "the second save")
    assert "ended badly" not in app.log()
    assert app.stop() == 0


def test_old_request_finishes_and_a_new_save_does_not_wait_for_it(serve, tmp_path):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    call = Call(app.get, f"/slow?s=300&mark={tmp_path}/mark&until={tmp_path}/until")
    wait_until((tmp_path / "mark").exists, "the request to run")
    for word in ("second", "third"):
        saved(app, word)
        wait_until(lambda word=word: app.get().text == word, "the new code")
    (tmp_path / "until").touch()
    assert call.result().text == "slow"
    assert app.stop() == 0


def test_module_that_is_imported_late_is_followed(serve):
    app = serve(
        code=APP.replace(
            "def do_(self",
            "def do_late(self, environ, start_response, query):\n"
            "        import late\n        return self.text(start_response, late.WORD)\n\n"
            "    def do_(self",
        ),
        PASTEBOX_RELOAD="events",
    )
    (app.directory / "late.py").write_text('WORD = "before"\n')
    assert app.get("/late").text == "before"
    app.wait_log("watching files=3")
    (app.directory / "late.py").write_text('WORD = "after it"\n')
    wait_until(lambda: app.get("/late").text == "after it", "the late module's new text")
    assert app.stop() == 0


def test_module_that_is_missing_mends_it_when_it_comes(serve):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    app.module.write_text(APP.replace("WORD =", "from new_helper import WORD #"))
    app.wait_log("No module named 'new_helper'")
    app.wait_log("failed to load")
    (app.directory / "new_helper.py").write_text('WORD = "found"\n')
    wait_until(lambda: app.get().text == "found", "the code that finds its module")
    assert app.stop() == 0


def test_ini_template_and_catalogue_are_followed(serve, tmp_path):
    package = tmp_path / "wiki"
    (package / "locale").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "locale" / "de.mo").write_text("1")
    app = serve(app="word = first", code="import wiki\n" + APP, PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    app.ini.write_text(app.ini.read_text().replace("first", "second"))
    wait_until(lambda: app.get().text == "second", "the new INI")
    (package / "locale" / "de.mo").write_text("22")
    app.wait_log("changed: .*/locale/de.mo")
    app.wait_log("generation 3 serves")
    (package / "page.jinja2").write_text("x")
    app.wait_log("changed: .*/page.jinja2")
    app.wait_log("generation 4 serves")
    assert app.stop() == 0


def test_checkout_of_many_files_is_one_reload(serve, tmp_path):
    package = tmp_path / "wiki"
    package.mkdir()
    for number in range(500):
        (package / f"m{number}.py").write_text("A = 1\n")
    (package / "__init__.py").write_text(
        "from wiki import " + ", ".join(f"m{n}" for n in range(500))
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "wiki")
    git(tmp_path, "commit", "-qm", "one")
    git(tmp_path, "branch", "before")
    for number in range(500):
        (package / f"m{number}.py").write_text("A = 2000\n")
    git(tmp_path, "commit", "-qam", "two")
    app = serve(
        code=APP.replace('WORD = "one"', "import wiki\nWORD = str(wiki.m499.A)"),
        PASTEBOX_RELOAD="events",
    )
    app.wait_log("watching files=50")
    assert app.get().text == "2000"
    git(tmp_path, "checkout", "-q", "before")
    wait_until(lambda: app.get().text == "1", "the other branch")
    assert app.log().count("reloading") == 1
    assert app.stop() == 0


def git(directory, *words):
    subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        cwd=directory,
        check=True,
        timeout=60,
    )


def test_error_is_at_the_top_of_the_old_page_until_it_is_mended(serve, tmp_path):
    (tmp_path / "helper.py").write_text('WORD = b"first"\n')
    app = serve(code=PAGE, PASTEBOX_RELOAD="events", PASTEBOX_DEV="on")
    app.wait_log("watching files=3")
    good = app.get()
    assert "pastebox-error" not in good.text
    (tmp_path / "helper.py").write_text("WORD = b'first\n")
    app.wait_log("failed to load")
    shown = wait_until(lambda: error_page(app), "the traceback on the page")
    assert shown.status == 200
    assert shown.text.startswith("<!doctype html><html><body class='x'><div id=\"pastebox-error\"")
    assert "<strong>SyntaxError: unterminated string literal" in shown.text
    assert "helper.py&quot;, line 1" in shown.text
    assert shown.text.endswith("<p>first</p></body></html>")
    assert int(shown.headers["Content-Length"]) == len(shown.body)
    assert shown.headers["Cache-Control"] == "no-store"
    assert "ETag" not in shown.headers
    head = app.request("HEAD", "/")
    assert head.headers["Content-Length"] == shown.headers["Content-Length"]
    (tmp_path / "helper.py").write_text('WORD = b"mended"\n')
    wait_until(lambda: app.get().text == good.text.replace("first", "mended"), "the mended page")
    assert app.stop() == 0


def error_page(app):
    answer = app.get()
    return answer if "SyntaxError" in answer.text else None


def test_without_dev_nothing_of_an_error_is_shown(serve, tmp_path):
    (tmp_path / "helper.py").write_text('WORD = b"first"\n')
    app = serve(code=PAGE, PASTEBOX_RELOAD="events")
    app.wait_log("watching files=3")
    (tmp_path / "helper.py").write_text("WORD = b'first\n")
    app.wait_log("failed to load, the one before goes on")
    assert app.get().text.endswith("<body class='x'><p>first</p></body></html>")
    assert app.stop() == 0


@pytest.mark.parametrize("dev", ["on", "off"])
def test_code_that_never_loaded_is_told_and_mended_without_a_restart(serve, dev):
    app = serve(
        code="import os\nraise RuntimeError('not yet')\n",
        PASTEBOX_RELOAD="events",
        PASTEBOX_DEV=dev,
    )
    answer = app.get()
    assert answer.status == 503
    assert ("RuntimeError: not yet" in answer.text) is (dev == "on")
    assert "RuntimeError: not yet" in app.log()
    app.module.write_text("import os\nraise RuntimeError('nor now')\n")
    app.wait_log("RuntimeError: nor now")
    app.wait_log("failed to load, the one before goes on")
    if dev == "on":
        wait_until(lambda: "RuntimeError: nor now" in app.get().text, "the latest reason")
    saved(app, "mended")
    wait_until(lambda: app.get().text == "mended", "the mended code")
    assert app.stop() == 0


def test_broken_ini_is_told_and_mended(serve):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    good = app.ini.read_text()
    app.ini.write_text(good.replace("threads = 4", "treads = 4"))
    app.wait_log("reload refused.*did you mean threads")
    assert app.get().text == "one"
    app.ini.write_text(good.replace("threads = 4", "threads = 3"))
    app.wait_log("generation 2 serves")
    assert app.stop() == 0


def test_term_while_requests_wait_for_new_code_loses_none(serve, tmp_path):
    app = serve(PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    app.module.write_text(
        f"open({str(tmp_path / 'mark')!r}, 'w').close()\nimport time\ntime.sleep(300)\n"
    )
    wait_until((tmp_path / "mark").exists, "the new code to load")
    with app.socket() as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        app.term()
        answer = http.client.HTTPResponse(waiting)
        answer.begin()
        assert answer.read() == b"one"
    assert app.wait_exit() == 0


def test_pattern_of_the_ini_is_followed_and_a_wild_one_refused(serve, start, tmp_path):
    app = serve(more="[pastebox]\nwatch = data/*.csv\n", PASTEBOX_RELOAD="events")
    app.wait_log("watching files=")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    app.wait_log("changed: .*/data/a.csv")
    app.wait_log("generation 2 serves")
    assert app.stop() == 0
    wild = start(more="[pastebox]\nwatch = /**\n", PASTEBOX_RELOAD="events")
    assert wild.wait_exit() == 78
    assert "app.ini:" in wild.log()
    assert "the pattern /** begins at /, which is not watched" in wild.log()


def test_browser_is_told_to_load_again(serve, tmp_path):
    """After new code, after code that does not load, and after a style; the page knows where."""
    package = tmp_path / "wiki"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "page.css").write_text("a {}")
    (tmp_path / "helper.py").write_text('WORD = b"first"\n')
    app = serve(code="import wiki\n" + PAGE, **LIVE_RELOAD)
    port = int(app.wait_log(r"browsers wait for changes on 127.0.0.1:(\d+)")[1])
    app.wait_log("watching files=")
    number = wait_until(lambda: number_of(app, port), "the script in the page")
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
    stream.request("GET", "/events")
    events = stream.getresponse()
    assert events.headers["Content-Type"] == "text/event-stream"
    assert next_number(events) == number
    (tmp_path / "helper.py").write_text('WORD = b"second"\n')
    assert next_number(events) > number
    assert "second" in app.get().text
    (tmp_path / "helper.py").write_text("WORD = b'\n")
    app.wait_log("failed to load")
    number = next_number(events)
    wait_until(lambda: error_page(app), "the traceback on the page")
    (package / "page.css").write_text("a { color: red }")
    assert next_number(events) > number
    assert app.log().count("reloading") == 2
    stream.close()
    assert app.stop() == 0


@pytest.mark.parametrize(("method", "is_outdated"), [("GET", True), ("POST", False)])
def test_a_page_that_old_code_still_answers_is_loaded_again(serve, tmp_path, method, is_outdated):
    """But nothing is posted twice for that."""
    helper = tmp_path / "helper.py"
    helper.write_text('WORD = b"first"\n')
    app = serve(code=PAGE, **LIVE_RELOAD)
    port = int(app.wait_log(r"browsers wait for changes on 127.0.0.1:(\d+)")[1])
    app.wait_log("watching files=")
    number = number_of(app, port)
    with socket.create_connection(("127.0.0.1", app.port), timeout=30) as ahead:
        head = f"{method} / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\n"
        ahead.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert ahead.recv(100).startswith(b"HTTP/1.1 100 ")
        helper.write_text('WORD = b"second"\n')
        wait_until(lambda: number_of(app, port) > number, "the new code's page")
        ahead.sendall(b"x")
        with ahead.makefile("rb") as file:
            page = file.read()
    assert b"first" in page
    assert (b"e.data!=='-1'" in page) == is_outdated
    assert app.stop() == 0


def number_of(app, port):
    found = re.search(rf":{port}/events'\);.*e\.data!=='(\d+)'", app.get().text)
    return int(found[1])


def next_number(events):
    while True:
        line = events.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data: "):
            return int(line[6:])


def test_live_reload_is_refused_without_dev(start):
    app = start(PASTEBOX_LIVERELOAD="on", PASTEBOX_RELOAD="events")
    assert app.wait_exit() == 78
    assert "PASTEBOX_LIVERELOAD" in app.log()
    assert "PASTEBOX_DEV=on" in app.log()


KEEPING = [
    case for case in HOLDING if case.name in ("waitress", "http", "gunicorn", "cherrypy", "granian")
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in KEEPING])
def test_no_connection_is_kept_on_which_old_code_could_answer(serve, case):
    """The next request of a browser comes on a connection of its own, to the new code."""
    need(case)
    app = serve(ini=ini_of(case), PASTEBOX_RELOAD="events")
    app.wait_log("watching files=2")
    for word in ("one", "second"):
        saved(app, word)
        wait_until(lambda word=word: app.get().text == word, "the new code")
        wait_until(lambda: all(says_close(app) for _ in range(10)), "ends of connections")
    assert app.stop() == 0


def says_close(app):
    """Ask as a browser does, and say whether the answer ends the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    is_open = connection.sock is not None
    connection.close()
    return not is_open
