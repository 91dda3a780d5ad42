"""Bad input to ``pastebox serve``: the exit status, the place, and nothing left behind."""

import json
import os
import subprocess
import sys

import pytest
from app_process import clean_environ, wait_until

pytestmark = pytest.mark.process

HOST = "host = 127.0.0.1\nport = 0\n"


def line_of(app, text):
    return next(n for n, line in enumerate(app.ini.read_text().splitlines(), 1) if text in line)


BAD_SERVERS = [
    pytest.param("treads = 4", 78, "did you mean threads", id="unknown option"),
    pytest.param("threads = four", 78, 'found "four", expected a whole number', id="wrong type"),
    pytest.param("threads = 0", 78, "at least one thread", id="no threads"),
    pytest.param("ipv4 = perhaps", 78, 'found "perhaps", expected true or false', id="no flag"),
    pytest.param("unix_socket_perms = 999", 78, 'found "999"', id="mode is not octal"),
]


@pytest.mark.parametrize(("option", "status", "told"), BAD_SERVERS)
def test_bad_option_of_the_server_ends_with_its_place(start, option, status, told):
    app = start(server=HOST + option)
    assert app.wait_exit() == status
    assert told in app.log()
    assert f"app.ini:{line_of(app, option)} [server:main] {option.split()[0]}" in app.log()
    assert "Traceback" not in app.log()


def ini(use):
    return f"[app:main]\npaste.app_factory = theapp:main\n[server:main]\nuse = {use}\n{HOST}"


USES = [
    pytest.param("egg:pastebox#waitres", 78, "did you mean waitress", id="unknown name"),
    pytest.param("waitres", 78, "there is no section [server:waitres]", id="unknown section"),
]


@pytest.mark.parametrize(("use", "status", "told"), USES)
def test_server_that_is_not_there(start, use, status, told):
    app = start(ini=ini(use))
    assert app.wait_exit() == status
    assert told in app.log()
    assert "app.ini:4" in app.log()
    assert "Traceback" not in app.log()


def test_server_setting_replaces_the_inis_choice(serve):
    app = serve(ini=ini("egg:PasteScript#wsgiutils"), PASTEBOX_SERVER="waitress")
    assert app.get().text == "one"
    assert app.stop() == 0


def test_both_a_value_and_its_file_end_with_78(start, tmp_path):
    (tmp_path / "port").write_text("8081\n")
    app = start(PASTEBOX_PORT="8080", PASTEBOX_PORT_FILE=str(tmp_path / "port"))
    assert app.wait_exit() == 78
    assert "PASTEBOX_PORT and PASTEBOX_PORT_FILE are both set" in app.log()


def test_unknown_variable_is_told_with_the_nearest_name(serve):
    app = serve(PASTEBOX_DRAIN_DELY="5s")
    assert "unknown variable PASTEBOX_DRAIN_DELY, did you mean PASTEBOX_DRAIN_DELAY" in app.log()
    assert app.stop() == 0


def test_kubernetes_service_variable_is_explained(start):
    app = start(PASTEBOX_PORT="tcp://10.0.0.7:8080")
    assert app.wait_exit() == 78
    assert "enableServiceLinks" in app.log()


def test_bad_setting_in_the_ini_has_its_line(start):
    app = start(more="[pastebox]\ndrain_timeout = soon\n")
    assert app.wait_exit() == 78
    assert f"app.ini:{line_of(app, 'soon')} [pastebox] drain_timeout: " in app.log()


def test_setting_in_the_ini_has_its_effect(serve):
    app = serve(more="[pastebox]\ndrain_delay = 300s\n")
    app.term()
    app.wait_log("delay=300s")
    app.term()
    assert app.wait_exit() == 0


def test_missing_ini_ends_with_78(start):
    app = start(argv=("nosuch.ini",))
    assert app.wait_exit() == 78
    assert "nosuch.ini" in app.log()


def test_word_is_a_variable_of_the_application(serve):
    app = serve(argv=("app.ini", "greeting=hello"), app="word = %(greeting)s")
    assert app.get().text == "hello"
    assert app.stop() == 0


def test_flag_wins_over_the_environment(serve):
    app = serve(argv=("app.ini", "--drain-timeout", "7s"), PASTEBOX_DRAIN_TIMEOUT="9s")
    assert app.stop() == 0
    assert "timeout=7s" in app.log()


def test_set_overrides_one_option(serve):
    app = serve(argv=("--set", "app:main", "word=other", "app.ini"))
    assert app.get().text == "other"
    assert app.stop() == 0


def run(tmp_path, *argv):
    return subprocess.run(
        [sys.executable, "-m", "pastebox.cli.main", *argv],
        cwd=tmp_path,
        env=clean_environ(tmp_path, {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


USAGES = [
    pytest.param(["serve", "--no-such-flag"], "--no-such-flag", id="unknown flag"),
    pytest.param(["serve", "--port"], "expected one argument", id="flag without its value"),
    pytest.param(["serve", "app.ini", "--port", "x"], 'found "x"', id="bad value of a flag"),
    pytest.param(["nosuchverb"], "nosuchverb", id="unknown verb"),
    pytest.param([], "VERB", id="no verb"),
    pytest.param(["serve", "a.ini", "b.ini"], "b.ini", id="a second INI"),
]


@pytest.mark.parametrize(("argv", "told"), USAGES)
def test_usage_errors_end_with_2(tmp_path, argv, told):
    (tmp_path / "app.ini").write_text(ini("egg:waitress#main"))
    (tmp_path / "theapp.py").write_text("def main(global_conf): ...\n")
    done = run(tmp_path, *argv)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("argv", [["--help"], ["serve", "--help"], ["serve", "-h"], ["--version"]])
def test_help_is_on_stdout_and_ends_with_0(tmp_path, argv):
    done = run(tmp_path, *argv)
    assert done.returncode == 0
    assert "pastebox" in done.stdout
    assert done.stderr == ""


def test_sleep_mode_is_alive_until_term(start):
    app = start(health=True, PASTEBOX_MODE="sleep", code="raise SystemExit(3)\n")
    app.wait_log("sleeping")
    wait_until(lambda: _answers(app), "the health port")
    assert json.loads(app.health("/startupz").text)["phase"] == "sleeping"
    assert app.stop() == 0


def _answers(app):
    try:
        return app.health("/livez").status == 200
    except OSError:
        return False


def test_nothing_is_left_in_the_directory(serve, tmp_path):
    app = serve()
    app.get()
    assert app.stop() == 0
    left = set(os.listdir(tmp_path)) - {"__pycache__"}
    assert left == {"app.ini", "theapp.py"}
