"""pastebox check, config and explain: what they print, and how they end."""

from __future__ import annotations

import argparse
import io
import sys
from typing import NamedTuple

import pytest

from pastebox.cli import check, config, explain
from pastebox.errors import ConfigError, UsageError
from pastebox.settings import options, resolve

GOOD = """
[DEFAULT]
debug = no
[app:main]
use = egg:Demo-App
x = %(ENV_X)s
[server:main]
use = egg:waitress#main
port = 8081
"""


class Answer(NamedTuple):
    code: int
    lines: list[str]

    @property
    def text(self):
        return "\n".join(self.lines)


@pytest.fixture
def verb(mount):
    def verb(module, *argv, sets=(), **arguments):
        arguments = {
            "overlay_dir": str(mount.overlays),
            "secrets_dir": str(mount.secrets),
            "data_dir": str(mount.root),
            "health_port": "off",
            **arguments,
        }
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        namespace = parser.parse_intermixed_args(list(argv) if argv else [mount.ini])
        namespace.sets = list(sets)
        namespace.arguments = arguments
        settings = resolve(arguments, mount.environ)
        out = io.StringIO()
        code = module.run(namespace, settings, mount.environ, io.StringIO(), out)
        return Answer(code, out.getvalue().splitlines())

    return verb


@pytest.fixture
def good(mount):
    mount.write(GOOD)
    mount.environ["X"] = "1"


@pytest.mark.usefixtures("good")
def test_check_of_a_good_ini_says_ok(verb):
    assert verb(check) == (0, ["ok"])


def test_check_names_what_has_no_effect_and_what_is_not_there(mount, verb):
    path = mount.write("""
        [DEFAULT]
        debug = no
        [app:main]
        use = egg:Demo-App
        debug = yes
        port = 1
        templates = %(here)s/templates
        cache_dir = %(here)s/cache
        ca_file = /nowhere/ca.pem
        url = sqlite:///%(here)s/x.db
        [app:other]
        use = egg:Demo-App
        debug = yes
        """)
    mount.write("[app:main]\nca_file = /nowhere/other.pem\n", "conf.d/1.ini")
    mount.environ["PASTEBOX_DRAIN_DELY"] = "1"
    answer = verb(check, path, "port=2", "--no-app")
    overlay = mount.overlays / "1.ini"
    assert answer.code == 0
    assert answer.lines == [
        f"warning: {path}:8 [app:main] templates: there is no {mount.etc}/templates",
        f"note: {path}:10 [app:main] ca_file: is replaced by {overlay}:2",
        f"warning: {overlay}:2 [app:main] ca_file: there is no /nowhere/other.pem",
        (
            f"warning: {path}:6 [app:main] debug: has no effect, [DEFAULT] has debug too in line 3;"
            " write set debug = … to change it here"
        ),
        (
            f"warning: {path}:7 [app:main] port: the variable port=… does not change this option;"
            " --set app:main port=… does"
        ),
        "warning: PASTEBOX_DRAIN_DELY: is not a setting, did you mean PASTEBOX_DRAIN_DELAY?",
        "5 warnings",
    ]


def test_check_imports_the_application_only_when_it_may(mount, verb):
    mount.write("[app:main]\nuse = egg:Demo-App#broken\n")
    assert verb(check, mount.ini, "--no-app").code == 0
    assert "demo_broken" not in sys.modules
    answer = verb(check)
    assert answer.code == 70
    assert "RuntimeError: broken at import" in answer.text
    assert answer.lines[-1] == "1 error"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[server:main]\nuse = waitres", "[server:waitres]", id="section"),
        pytest.param("[server:main]\nuse = egg:nosuch#main", "not installed", id="distribution"),
        pytest.param("[server:main]\nuse = egg:Demo-App#x", "it has main", id="entry point"),
        pytest.param("[server:main]\nuse = egg:pastebox#waitres", "mean waitress", id="runner"),
        pytest.param("[pastebox]\nworkers = many", "found", id="setting"),
        pytest.param("[loggers]\nkeys = root", "[handlers]", id="logging section"),
        pytest.param(
            "[loggers]\nkeys = root\n[handlers]\nkeys=\n[formatters]\nkeys=\n",
            "[logger_root]",
            id="logger",
        ),
    ],
)
def test_check_ends_with_78_for_what_would_stop_serve(mount, verb, text, words):
    mount.write(f"[app:main]\nuse = egg:Demo-App\n{text}\n")
    try:
        answer = verb(check)
    except ConfigError as error:
        answer = Answer(error.exit_code, [error.render()])
    assert answer.code == 78
    assert words in answer.text
    assert mount.ini in answer.text


def test_check_reports_the_server_and_the_application_in_one_run(mount, verb):
    mount.write("[app:main]\nuse = egg:Nosuch\n[server:main]\nuse = nosuch\n")
    answer = verb(check)
    assert (answer.code, answer.lines[-1]) == (78, "2 errors")


def test_check_refuses_what_serve_would_refuse_of_the_server(mount, verb):
    mount.write(
        "[app:main]\nuse = call:theapp:app\n[server:main]\nuse = egg:waitress#main\ntreads = 4\n"
    )
    answer = verb(check, mount.ini, "--no-app")
    assert answer.code == 78
    assert "[server:main] treads: waitress has no such option" in answer.text


def test_check_refuses_a_server_whose_package_is_not_installed(mount, verb, monkeypatch):
    monkeypatch.setitem(sys.modules, "twisted", None)
    monkeypatch.delitem(sys.modules, "pastebox.runners.twisted", raising=False)
    section = "[server:main]\nuse = egg:PasteScript#twisted\n"
    mount.write(f"[app:main]\nuse = call:theapp:app\n{section}")
    assert verb(check, mount.ini, "--no-app").code == 69


@pytest.mark.parametrize("module", [check, config])
def test_without_an_ini_the_places_are_listed(mount, verb, module, monkeypatch):
    monkeypatch.setattr("pastebox.config.locate.locate.__kwdefaults__", {"etc_dir": str(mount.etc)})
    with pytest.raises(ConfigError, match="no INI was found; looked at argument: none, PASTEBOX"):
        verb(module, "x=1")


def test_an_ini_that_an_earlier_start_generated_is_the_one(mount, verb, monkeypatch):
    """serve serves it, so the verbs that only look must look at it."""
    monkeypatch.setattr("pastebox.config.locate.locate.__kwdefaults__", {"etc_dir": "/nonexistent"})
    state = mount.root / ".pastebox"
    state.mkdir()
    (state / "app.ini").write_text("[app:main]\nuse = call:theapp:app\nx = 2\n")
    answer = verb(config, "y=1")
    assert "x = 2" in answer.lines


@pytest.mark.usefixtures("good")
def test_config_prints_one_section_with_its_origins(mount, verb):
    answer = verb(
        config,
        mount.ini,
        "--section",
        "server:main",
        "--origins",
        sets=[("server:main", "port=99%")],
    )
    assert answer.lines == [
        "[server:main]",
        f"# {mount.ini}:8",
        "use = egg:waitress#main",
        "# argument --set server:main port",
        "port = 99%%",
    ]


@pytest.mark.usefixtures("good")
def test_config_refuses_a_section_that_is_not_there(mount, verb):
    with pytest.raises(UsageError, match="expected one of DEFAULT, app:main, server:main"):
        verb(config, mount.ini, "--section", "server:man")


def test_config_shows_an_ini_whose_values_are_missing(mount, verb):
    mount.write(GOOD)
    assert "x = %(ENV_X)s" in verb(config).lines


@pytest.mark.usefixtures("good")
def test_explain_walks_all_nine_steps_with_origins(mount, verb):
    answer = verb(explain, mount.ini, "y=1", drain_delay="5s")
    assert answer.code == 0, answer.text
    titles = [line for line in answer.lines if not line.startswith(" ")]
    assert [title[0] for title in titles] == list("123456789")
    for line in (
        f"   pastebox serve {mount.ini} y=…",
        "   drain_delay = 5s  (argument --drain-delay)",
        f"   config:{mount.ini}#main  (argument)",
        "   steps: none  (nothing to set up)",
        f"   %(ENV_X)s in {mount.ini}:6 [app:main] x: the environment variable X",
        f"   x = 1  ({mount.ini}:6)",
        f"   waitress  (egg:waitress#main, {mount.ini}:8)",
        f"   port = 8081  ({mount.ini}:9)",
        "   give it at least 30 s before KILL",
    ):
        assert line in answer.lines, answer.text


def test_explain_goes_on_behind_a_step_that_fails_and_ends_with_its_status(mount, verb):
    mount.write(GOOD)
    answer = verb(explain)
    assert answer.code == 78
    assert "%(ENV_X)s has no value" in answer.text
    assert f"   waitress  (egg:waitress#main, {mount.ini}:8)" in answer.lines
    assert answer.lines[-1].endswith("before KILL")


def test_explain_says_once_that_the_ini_cannot_be_read(verb):
    answer = verb(explain, "/nowhere/app.ini")
    assert answer.code == 78
    assert answer.text.count("error:") == 1
    assert "not reached: there is no INI that can be read" in answer.text


@pytest.mark.parametrize("module", [check, config, explain])
def test_no_verb_shows_a_secret(mount, verb, module):
    mount.write("""
        [DEFAULT]
        pw = %(SECRET_pw)s
        [app:main]
        use = egg:Demo-App
        url = pg://wiki:%(pw)s@db
        other = pg://wiki:hunter2@db
        file = /%(SECRET_pw)s/x
        [server:main]
        use = egg:waitress
        ident = %(pw)s
        """)
    mount.secret("pw", "s3cr3t-value")
    answer = verb(module)
    assert "s3cr3t-value" not in answer.text
    assert "hunter2" not in answer.text


def test_every_setting_can_be_explained(good, mount, verb):
    answer = verb(explain, mount.ini)
    assert f"   {len(options()) - 4} others have their default" in answer.lines


DAEMON = """
[pastebox:program:orders]
command = orders --queue "a b" --key %(ENV_X)s
essential = true
restart = always
priority = 10
environment = PATH={path}
[pastebox:program:once]
command = orders
restart = never
autostart = false
environment = PATH={path}
"""


EXPLAINED = """
orders: orders --queue 'a b' --key 1
  essential: when it has ended, all end with its status
  starts again whatever its status, 3 times in 10 minutes, each after a longer pause
web: the application
  essential: when it has ended, all end with its status
  starts again, unless its status is 0, 3 times in 10 minutes, each after a longer pause
once: orders
  not essential: the others go on without it
  does not start again
  begins with pastebox ctl start once
extra: extra --now  ({tmp}/own/more.conf)
  essential: when it has ended, all end with its status
  5 restarts
group:all  ({tmp}/own/more.conf)
a stop: 27 s for all of them together: drain_delay 4, drain_timeout 20, spare 3
the order of a stop: priority 999, then 10
control: {tmp}/run/control.sock
"""


@pytest.mark.usefixtures("good")
def test_explain_says_what_a_daemon_runs_and_what_becomes_of_it(mount, verb, tmp_path):
    pytest.importorskip("supervisor")
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "orders").touch(0o755)
    own = tmp_path / "own"
    own.mkdir()
    (own / "more.conf").write_text(
        "[program:extra]\ncommand=extra --now ; said so\nessential=true\nrestarts=5\n"
        "[group:all]\nprograms=extra\n"
    )
    mount.write(GOOD + DAEMON.replace("{path}", str(bin_)))
    places = {"supervisor_dir": str(own), "run_dir": str(tmp_path / "run")}
    answer = verb(explain, mount.ini, mode="daemon", drain_delay="4s", **places)
    assert answer.code == 0, answer.text
    step = answer.text.partition("9. programs: what the daemon runs\n")[2].partition("10. ")[0]
    assert step.replace("\n   ", "\n").strip() == EXPLAINED.format(tmp=tmp_path).strip()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[pastebox:program:job]\ncommand = no-such-command\n", '"no-such-command", which is not'),
        ("[pastebox:program:job]\ncomand = x\n", "did you mean command?"),
    ],
)
@pytest.mark.usefixtures("good")
def test_explain_says_which_program_is_wrong(mount, verb, text, told):
    mount.write(GOOD + text)
    answer = verb(explain, mount.ini, mode="daemon", run_dir="/run/nowhere")
    assert answer.code == 78
    assert told in answer.text


@pytest.mark.usefixtures("good")
def test_explain_says_which_file_of_the_operator_cannot_be_read(mount, verb, tmp_path):
    (tmp_path / "bad.conf").write_text("no section\n")
    answer = verb(explain, mount.ini, mode="daemon", supervisor_dir=str(tmp_path))
    assert answer.code == 78
    assert f"{tmp_path}/bad.conf: cannot be read" in answer.text


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("essential = maybe", "value 'maybe' for essential is not on or off"),
        ("restarts = many", "value 'many' for restarts is not a number from 0 to 999999999"),
        ("reload_signal = HUPP", "value 'HUPP' for reload_signal is not a signal"),
        ("essential = %(ENV_NOWHERE)s", "%(ENV_NOWHERE)s has no value"),
    ],
)
@pytest.mark.usefixtures("good")
def test_explain_says_which_option_of_an_operator_is_wrong(mount, verb, tmp_path, option, told):
    (tmp_path / "bad.conf").write_text(f"[program:extra]\ncommand = extra\n{option}\n")
    answer = verb(explain, mount.ini, mode="daemon", supervisor_dir=str(tmp_path))
    assert answer.code == 78
    assert f"{tmp_path}/bad.conf" in answer.text
    assert told in answer.text


@pytest.mark.usefixtures("good")
def test_explain_puts_variables_into_a_file_of_the_operator(mount, verb, tmp_path):
    """As supervisor does, whose way to write them is another than that of the INI."""
    pytest.importorskip("supervisor")
    mount.environ["IS_ESSENTIAL"] = "yes"
    (tmp_path / "more.conf").write_text(
        "[program:extra]\ncommand = extra\nessential = %(ENV_IS_ESSENTIAL)s\n"
    )
    answer = verb(explain, mount.ini, mode="daemon", supervisor_dir=str(tmp_path))
    assert answer.code == 0, answer.text
    assert (
        "essential: when it has ended, all end with its status"
        in answer.text.partition("extra:")[2]
    )
