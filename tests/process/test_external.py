"""Servers that are not ours: found, handed their options, watched, ended, and believed."""

from __future__ import annotations

import os
import signal
import time

import pytest
from app_process import Call, free_port, wait_until

SERVER = """\
import os, signal, socketserver, sys, threading
from wsgiref.simple_server import WSGIServer, WSGIRequestHandler

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

class Quiet(WSGIRequestHandler):
    def log_message(self, *args):
        pass

def run(app, global_conf, host="127.0.0.1", port="8080", status="0", **more):
    print("SERVER", sorted(global_conf), sorted(more.items()), flush=True)
    if status.startswith("early"):
        sys.exit(int(status[5:]))
    server = Server((host, int(port)), Quiet)
    server.set_app(app)
    server.serve_forever()

def graceful(app, global_conf, host, port):
    server = Server((host, int(port)), Quiet)
    server.set_app(app)
    def stop(*_):
        print("SERVER was told", flush=True)
        threading.Thread(target=server.shutdown).start()
    signal.signal(signal.SIGTERM, stop)
    server.serve_forever()
    sys.exit(7)

def factory(global_conf, **conf):
    return lambda app: run(app, global_conf, **conf)
"""

INI = """\
[DEFAULT]
colour = green
[app:main]
paste.app_factory = theapp:main
[server:main]
{server}
host = 127.0.0.1
port = {port}
{more}
"""


@pytest.fixture
def external(start, tmp_path):
    """Start with a server that is not ours, and wait until it listens."""
    (tmp_path / "theserver.py").write_text(SERVER)
    (tmp_path / "thing-1.0.dist-info").mkdir()
    (tmp_path / "thing-1.0.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1.0\n")
    (tmp_path / "thing-1.0.dist-info" / "entry_points.txt").write_text(
        "[paste.server_runner]\nmain = theserver:run\n"
        "[paste.server_factory]\nfactory = theserver:factory\n"
    )

    def begin(server, more="", *, wait=True, **settings):
        port = free_port()
        app = start(ini=INI.format(server=server, port=port, more=more), **settings)
        app.port = port
        if wait:
            app.wait_log("listening on")
        return app

    return begin


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("use = egg:thing", id="runner"),
        pytest.param("use = egg:thing#factory", id="factory"),
        pytest.param("paste.server_runner = theserver:run", id="named runner"),
        pytest.param("paste.server_factory = theserver:factory", id="named factory"),
    ],
)
def test_every_way_to_name_one_serves(external, server):
    app = external(server, "size = big")
    assert app.get("/").text == "one"
    assert "SERVER ['__file__', 'colour', 'here'] [('size', 'big')]" in app.log()
    began = time.monotonic()
    assert app.stop() == 0
    assert time.monotonic() - began < 4


def test_running_request_ends_before_the_server_does(external, tmp_path):
    app = external("use = egg:thing")
    mark, until = tmp_path / "mark", tmp_path / "until"
    call = Call(app.get, f"/slow?s=20&mark={mark}&until={until}")
    wait_until(mark.exists, "the request")
    app.term()
    app.wait_log("draining")
    until.touch()
    assert call.result().text == "slow"
    assert app.wait_exit() == 0


def test_server_with_a_handler_gets_its_signal_and_its_status_counts(external):
    app = external("paste.server_runner = theserver:graceful")
    app.term()
    code = app.wait_exit()
    assert "SERVER was told" in app.log()
    assert code == 0  # the master stopped as it was asked to; the worker's status is in the log
    assert "exit status 7" in app.log()


def test_request_beyond_the_deadline_is_124(external, tmp_path):
    app = external("use = egg:thing", PASTEBOX_DRAIN_TIMEOUT="1.5")
    mark = tmp_path / "mark"
    Call(app.get, f"/slow?s=20&mark={mark}")
    wait_until(mark.exists, "the request")
    assert app.stop() == 124


def test_exit_status_before_it_serves_is_passed_on(external):
    app = external("use = egg:thing", "status = early3", wait=False)
    assert app.wait_exit() == 3


def test_server_that_fails_is_70_with_its_traceback(external):
    app = external("paste.server_runner = theserver:run", "status = earlyx", wait=False)
    assert app.wait_exit() == 70
    assert "ValueError" in app.log()


def test_options_it_does_not_take_are_78(external):
    app = external("paste.server_runner = theserver:graceful", "size = big", wait=False)
    assert app.wait_exit() == 78
    assert "size" in app.log()


def test_hup_replaces_it_with_a_gap_that_is_announced(external):
    app = external("use = egg:thing")
    before = app.get("/pid").text
    app.signal(signal.SIGHUP)
    app.wait_log("nothing listens meanwhile")
    app.wait_log("listening on", count=2)
    assert app.get("/pid").text != before
    assert app.stop() == 0


def test_egg_that_is_not_there_is_still_an_unknown_server(external):
    app = external("use = egg:thing#nothing", wait=False)
    assert app.wait_exit() == 78
    assert "a server that is known" in app.log()


def test_group_signal_does_not_end_it_before_its_drain(external, tmp_path):
    app = external("use = egg:thing")
    mark, until = tmp_path / "mark", tmp_path / "until"
    call = Call(app.get, f"/slow?s=20&mark={mark}&until={until}")
    wait_until(mark.exists, "the request")
    os.killpg(app.pid, signal.SIGINT)
    app.wait_log("draining")
    until.touch()
    assert call.result().text == "slow"
    assert app.wait_exit() == 0
