"""A debugger attaches by DAP, before and after a reload; and what it is refused for."""

import re
import socket

import pytest
from app_process import APP, Call, wait_until
from dap_client import DapClient

pytestmark = pytest.mark.process
pytest.importorskip("debugpy")

ANSWER = next(
    number for number, line in enumerate(APP.splitlines(), 1) if 'self.conf.get("word"' in line
)


def save(app, word):
    new = app.directory / "theapp.py~"
    new.write_text(APP.replace('"one"', f'"{word}"'))
    new.rename(app.module)


@pytest.fixture
def debugged(start):
    """Start a pastebox for a debugger, without waiting for the application."""

    def begin(**settings):
        app = start(PASTEBOX_DEV="on", PASTEBOX_DEBUGPY="0", **settings)
        app.debug_port = int(app.wait_log(r"a debugger can attach on 127.0.0.1:(\d+)")[1])
        return app

    return begin


def stop_in(client, app, word):
    """Ask the application, and find the debugger standing in its answer."""
    call = Call(app.get)
    assert client.where() == ("do_", ANSWER)
    assert client.value("WORD") == repr(word)
    return call


def test_breakpoint_is_hit_before_and_after_a_reload(debugged):
    app = debugged(PASTEBOX_RELOAD="events").wait_listening()
    app.wait_log("watching files=")
    with DapClient(app.debug_port) as client:
        client.attach(str(app.module), ANSWER)
        call = stop_in(client, app, "one")
        client.go_on()
        assert call.result().text == "one"
        save(app, "second")
        assert client.event("terminated") == {"restart": True}
    with DapClient(app.debug_port) as client:
        client.attach(str(app.module), ANSWER)
        app.wait_log("debugger attached generation=2")
        call = stop_in(client, app, "second")
        client.go_on()
        assert call.result().text == "second"
    assert app.stop() == 0


def test_reload_leaves_who_stands_at_a_breakpoint_in_peace(debugged):
    """As long as it takes, and however much is saved meanwhile; another client has the new code."""
    app = debugged(PASTEBOX_RELOAD="events", PASTEBOX_DRAIN_TIMEOUT="0.2s").wait_listening()
    app.wait_log("watching files=")
    with DapClient(app.debug_port) as client:
        client.attach(str(app.module), ANSWER)
        call = stop_in(client, app, "one")
        for number in (2, 3):
            save(app, f"word {number}")
            app.wait_log(f"generation {number} serves")
        assert app.get().text == "word 3"
        with DapClient(app.debug_port) as other:
            other.attach(str(app.module), ANSWER)
            another = stop_in(other, app, "word 3")
            other.go_on()
            assert another.result().text == "word 3"
        assert client.value("WORD") == "'one'"
        client.go_on()
        assert call.result().text == "one"
        assert client.event("terminated") == {"restart": True}
    app.wait_log("generation 1 drained$")
    assert app.stop() == 0


def test_code_that_runs_while_it_is_loaded_waits_for_the_client(debugged):
    app = debugged(PASTEBOX_WAIT_FOR_CLIENT="on", PASTEBOX_RELOAD="events")
    line = 1 + APP.splitlines().index("def main(global_conf, **conf):") + 1
    with DapClient(app.debug_port) as client:
        client.attach(str(app.module), line)
        assert client.where() == ("main", line)
        assert "listening on" not in app.log()
        client.go_on()
        app.wait_listening()
        app.wait_log("watching files=2")
        save(app, "second")  # nobody has to attach for that
        wait_until(lambda: app.get().text == "second", "the new code")
    assert app.stop() == 0


def test_term_ends_the_wait_for_a_client(debugged):
    app = debugged(PASTEBOX_WAIT_FOR_CLIENT="on")
    app.wait_log("which the application waits for")
    assert app.stop() == 0


@pytest.mark.parametrize("server", ["gunicorn", "granian", "wsgiref", "twisted"])
def test_breakpoint_is_hit_in_threads_of_other_servers(debugged, server):
    pytest.importorskip(server)
    app = debugged(server="host = 127.0.0.1\nport = 0", PASTEBOX_SERVER=server).wait_listening()
    with DapClient(app.debug_port) as client:
        client.attach(str(app.module), ANSWER)
        call = stop_in(client, app, "one")
        client.go_on()
        assert call.result().text == "one"
    assert app.stop() == 0


def test_breakpoint_in_the_code_stops_an_attached_debugger_and_nobody_else(debugged):
    code = APP.replace(
        "        return self.text(start_response, self.conf",
        "        breakpoint()\n        return self.text(start_response, self.conf",
    )
    app = debugged(code=code).wait_listening()
    assert app.get().text == "one"
    app.wait_log("breakpoint passed by: there is neither a terminal")
    with DapClient(app.debug_port) as client:
        client.attach()
        call = Call(app.get)
        assert client.where()[0] == "do_"
        assert client.value("WORD") == "'one'"
        client.go_on()
        assert call.result().text == "one"
    assert app.stop() == 0


STOPS_LATE = """
import threading
import pydevd
from _pydevd_bundle.pydevd_api import PyDevdAPI

IS_OVER = threading.Event()
resume, settrace = PyDevdAPI.request_resume_thread, pydevd.settrace


def tell(self, thread_id):
    resume(self, thread_id)
    IS_OVER.set()


def stop_late(**options):
    print("about to stop", flush=True)
    IS_OVER.wait()
    settrace(**options)


PyDevdAPI.request_resume_thread, pydevd.settrace = tell, stop_late
"""


def test_request_goes_on_whose_debugger_leaves_just_as_it_stops(debugged):
    code = APP.replace(
        "        return self.text(start_response, self.conf",
        "        breakpoint()\n        return self.text(start_response, self.conf",
    )
    app = debugged(code=code + STOPS_LATE).wait_listening()
    with DapClient(app.debug_port) as client:
        client.attach()
        call = Call(app.get)
        app.wait_log("about to stop")
    assert call.result().text == "one"
    with DapClient(app.debug_port) as client:
        client.attach()
        call = Call(app.get)
        assert client.where()[0] == "do_"
        client.go_on()
        assert call.result().text == "one"
    assert app.stop() == 0


REFUSED = [
    pytest.param({"PASTEBOX_DEBUGPY": "0"}, 78, "run any code.*PASTEBOX_DEV=on", id="no-dev"),
    pytest.param(
        {"PASTEBOX_DEV": "on", "PASTEBOX_WAIT_FOR_CLIENT": "on"},
        78,
        "no debugger whose client.*PASTEBOX_DEBUGPY=5678",
        id="nothing-to-wait-for",
    ),
    pytest.param(
        {"PASTEBOX_DEV": "on", "PASTEBOX_DEBUGPY": "0", "PASTEBOX_WORKERS": "2"},
        78,
        "several workers: a debugger stops one of them",
        id="workers",
    ),
    pytest.param(
        {"PASTEBOX_DEV": "on", "PASTEBOX_DEBUGPY": "0", "PASTEBOX_SERVER": "flup_scgi_fork"},
        78,
        "PASTEBOX_SERVER=flup_scgi_thread has threads",
        id="forks",
    ),
]


@pytest.mark.parametrize(("settings", "code", "told"), REFUSED)
def test_debugger_is_refused(start, settings, code, told):
    app = start(server="host = 127.0.0.1\nport = 0", **settings)
    assert app.wait_exit() == code
    assert re.search(told, app.log(), re.DOTALL)


def test_port_of_the_debugger_that_is_taken_is_told_before_anything_is_loaded(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = start(PASTEBOX_DEV="on", PASTEBOX_DEBUGPY=str(port))
        assert app.wait_exit() == 73
    assert f"127.0.0.1:{port}" in app.log()
    assert "PASTEBOX_DEBUGPY" in app.log()
    assert "listening on" not in app.log()


def test_extra_that_is_missing_is_named(start, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['debugpy'] = None\n")
    app = start(PASTEBOX_DEV="on", PASTEBOX_DEBUGPY="0")
    assert app.wait_exit() == 69
    assert 'pip install "pastebox[debug]"' in app.log()
