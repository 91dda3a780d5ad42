"""Program sections: what they may say, and where each mistake is."""

from __future__ import annotations

import os
import sys
import textwrap

import pytest

from pastebox.config.locate import parse_spec
from pastebox.config.model import AppSource
from pastebox.config.read import read_leniently
from pastebox.daemon.programs import Program
from pastebox.daemon.sections import OPTIONS, read_programs
from pastebox.errors import ConfigError

WEB = Program("web", ("pastebox", "serve"), essential=True, reload_signal="HUP")


@pytest.fixture
def programs(tmp_path):
    def read(text, web=WEB, environ=None):
        path = tmp_path / "app.ini"
        path.write_text(textwrap.dedent(text))
        spec = parse_spec(str(path), "argument", str(tmp_path))
        config = read_leniently(AppSource(spec, {}, (), "", str(tmp_path)), os.environ)
        return read_programs(config, web, os.environ if environ is None else environ)

    return read


def test_an_ini_without_sections_has_the_application_alone(programs):
    assert programs("[app:main]\nuse = egg:x\n") == (WEB,)


def test_every_option_reaches_the_program(programs, tmp_path):
    _, worker = programs(f"""
        [DEFAULT]
        queue = mail
        [pastebox:program:mail-worker]
        command = {sys.executable} -m worker --queue "%(queue)s now"
        directory = %(here)s
        environment = A=1 B="two words"
        priority = 20
        essential = yes
        autostart = off
        restart = always
        restarts = 7
        start_seconds = 0
        exit_codes = 0, 2
        stop_signal = SIGINT
        reload_signal = usr1
        user = nobody
        """)
    assert worker == Program(
        name="mail-worker",
        command=(sys.executable, "-m", "worker", "--queue", "mail now"),
        directory=str(tmp_path),
        environment={"A": "1", "B": "two words"},
        priority=20,
        essential=True,
        autostart=False,
        restart="always",
        restarts=7,
        start_seconds=0,
        exit_codes=(0, 2),
        stop_signal="INT",
        reload_signal="USR1",
        user="nobody",
    )


def test_the_options_are_fields_of_a_program():
    assert set(OPTIONS) - {"processes"} <= set(Program._fields)


def test_the_section_of_the_application_changes_it_and_keeps_its_command(programs):
    (web,) = programs(
        "[pastebox:program:web]\nessential = false\nrestarts = 0\nenvironment = A=1\n"
    )
    assert web == WEB._replace(essential=False, restarts=0, environment={"A": "1"})


def test_processes_are_programs_of_their_own(programs):
    found = programs("[pastebox:program:w]\ncommand = sh -c true\nprocesses = 3\n", web=None)
    assert [one.name for one in found] == ["w-1", "w-2", "w-3"]


COMMAND = "command = sh"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        pytest.param("w", ["priority = 1"], "command: is missing", id="no-command"),
        pytest.param("w", ["command ="], ":2 [pastebox:program:w] command: is empty", id="empty"),
        pytest.param("w", [COMMAND, "prio = 1"], ":3 [pastebox:program:w] prio: is", id="unknown"),
        pytest.param("w", ["command = no-such"], 'found "no-such", which is not', id="not-in-path"),
        pytest.param("w", ["command = /no/such"], '"/no/such", which is not', id="no-file"),
        pytest.param("w", ["command = %(__file__)s"], "is not executable", id="not-executable"),
        pytest.param("w", ["command = sh 'x"], "expected a command line", id="open-quote"),
        pytest.param("w", [COMMAND, "directory = /no/such"], 'found "/no/such"', id="directory"),
        pytest.param("w", [COMMAND, "essential = maybe"], "expected on or off", id="flag"),
        pytest.param("w", [COMMAND, "stop_signal = HALT"], "expected a signal", id="signal"),
        pytest.param("w", [COMMAND, "environment = A"], "NAME=value", id="environment"),
        pytest.param("w", [COMMAND, "exit_codes = 256"], "numbers from 0 to 255", id="codes"),
        pytest.param("../x", [COMMAND], 'found the name "../x"', id="path-in-name"),
        pytest.param("", [COMMAND], 'found the name ""', id="no-name"),
        pytest.param("web", [COMMAND], "which is the application itself", id="web-command"),
        pytest.param("web", ["processes = 1"], "the application itself", id="web-processes"),
        pytest.param(
            "w",
            [COMMAND, "processes = 2", "[pastebox:program:w-1]", COMMAND],
            "two programs are named w-1",
            id="twins",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(programs, tmp_path, name, options, message):
    with pytest.raises(ConfigError) as caught:
        programs("\n".join([f"[pastebox:program:{name}]", *options]))
    assert message in str(caught.value)
    assert str(tmp_path / "app.ini") in str(caught.value)


def test_a_near_option_is_offered(programs):
    with pytest.raises(ConfigError) as caught:
        programs("[pastebox:program:w]\ncommand = sh\nesential = yes\n")
    assert caught.value.hint == "did you mean essential?"


def test_a_command_is_looked_up_in_the_path_of_the_program(programs, tmp_path):
    own = tmp_path / "own-tool"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    text = f"[pastebox:program:w]\ncommand = own-tool\nenvironment = PATH={tmp_path}\n"
    (program,) = programs(text, web=None)
    assert program.command == ("own-tool",)
