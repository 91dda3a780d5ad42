"""``breakpoint()`` on the terminal: pdb has it, one prompt at a time, and no timeout ends it."""

import os
import signal
import sys
import termios

import pytest
from app_process import APP, Call, wait_until
from contract_cases import CASES, ini_of, need

pytestmark = pytest.mark.process

CODE = APP.replace(
    "    def do_(self, environ, start_response, query):\n",
    "    def do_(self, environ, start_response, query):\n"
    "        mine = query.get('mine', 'nothing')\n"
    "        breakpoint()\n",
)
assert "breakpoint()" in CODE


@pytest.fixture
def terminal(serve):
    """Serve on a terminal, as ``docker run -it`` does."""
    return lambda **options: serve(
        **{"code": CODE, "terminal": True, "PASTEBOX_DEV": "on", **options}
    )


def save(app, word):
    new = app.directory / "theapp.py~"
    new.write_text(APP.replace('"one"', f'"{word}"'))
    new.rename(app.module)


TIMED = [case for case in CASES if case.name in ("waitress", "gunicorn_sync", "wsgiref")]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in TIMED])
def test_prompt_outlives_every_timeout(terminal, case):
    need(case)
    more = case.more.replace("workers = 3", "workers = 1\ntimeout = 1")
    app = terminal(
        ini=ini_of(case, more),
        PASTEBOX_RELOAD="events",
        PASTEBOX_DRAIN_TIMEOUT="0.1s",
        PASTEBOX_STUCK_AFTER="0.5s",
    )
    app.wait_log("watching files=2")
    call = Call(app.get, "/?mine=7")
    app.wait_log(r"\(Pdb\) ")
    app.type("p 'mine is ' + mine * 3")
    app.wait_log("'mine is 777'")
    app.wait_log("request runs for too long")
    save(app, "second")
    app.wait_log("generation 2 serves")
    assert app.get().text == "second"
    call.join(2.0)  # gunicorn's timeout, were it on
    assert call.is_alive()
    app.type("next")
    app.wait_log(r"-> return self.text\(start_response")
    app.type("continue")
    assert call.result().text == "one"
    app.wait_log("generation 1 drained$")
    assert app.stop() == 0


def test_prompt_outlives_requests_of_later_generations(terminal, tmp_path):
    """Of more than four generations the oldest must hurry, but not who is at a prompt."""
    app = terminal(PASTEBOX_RELOAD="events", PASTEBOX_DRAIN_TIMEOUT="0.2s")
    app.wait_log("watching files=2")
    call = Call(app.get)
    app.wait_log(r"\(Pdb\) ")
    for number in range(2, 7):
        save(app, f"word {number}")
        app.wait_log(f"generation {number} serves")
        Call(app.get, f"/slow?s=300&mark={tmp_path}/mark{number}")
        wait_until((tmp_path / f"mark{number}").exists, "a request that does not end")
    app.wait_log("generation 2 drained cut=1")
    app.type("continue")
    assert call.result().text == "one"
    assert app.stop() == 124


def test_prompts_of_several_requests_come_one_after_another(terminal):
    app = terminal()
    calls = {word: Call(app.get, f"/?mine={word}") for word in ("first", "other")}
    app.wait_log("pdb has the terminal", count=2)
    app.wait_log(r"\(Pdb\) ")
    seen = []
    for number in (1, 2):
        app.type(f"p '{number}', mine")
        seen.append(app.wait_log(rf"\('{number}', '(\w+)'\)")[1])
        app.type("continue")
        calls[seen[-1]].result()
    assert sorted(seen) == ["first", "other"]
    assert app.stop() == 0


def test_quit_fails_one_request_and_nothing_else(terminal):
    app = terminal()
    call = Call(app.get)
    app.wait_log(r"\(Pdb\) ")
    app.type("quit")
    assert call.result().status == 500
    assert app.get("/environ?name=HOME").status == 200
    assert app.stop() == 0


def test_second_interrupt_ends_a_prompt_and_leaves_the_terminal_as_it_was(terminal):
    app = terminal()
    before = termios.tcgetattr(app.terminal)
    Call(app.get)
    app.wait_log(r"\(Pdb\) ")
    os.write(app.terminal, b"\x03")  # Ctrl-C
    app.wait_log("draining reason=SIGINT")
    os.write(app.terminal, b"\x03")
    assert app.wait_exit() == 124
    assert termios.tcgetattr(app.terminal) == before


def test_job_in_the_background_is_not_stopped_by_a_breakpoint(terminal):
    """A shell's ``&``: whoever reads the terminal from there is stopped by the kernel."""
    background = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
        "shell = os.getpid()\n"
        "if not os.fork():\n"
        "    os.setpgid(0, 0)\n"
        "    os.execv(sys.argv[1], sys.argv[1:])\n"
        "os._exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
    )
    app = terminal(wrapper=(sys.executable, "-S", "-c", background))
    (job,) = app.children()
    try:
        assert app.get().text == "one"
        app.wait_log("breakpoint passed by: there is neither a terminal")
    finally:
        os.kill(job, signal.SIGTERM)
    assert app.wait_exit() == 0


def test_code_without_dev_has_python_s_own_breakpoint(serve):
    app = serve(code=CODE)
    assert app.get().status == 500  # pdb reads the end of its input
    assert app.stop() == 0
