"""What is rendered is what supervisor reads, whatever characters it has."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from supervisor.options import UnhosedConfigParser

from pastebox.daemon.programs import Program
from pastebox.daemon.render import ControlPort, Daemon, render
from pastebox.errors import ConfigError

DAEMON = Daemon(socket="/run/x/control.sock", stop_seconds=23)
NO_BREAKS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


def parsed(text: str) -> UnhosedConfigParser:
    parser = UnhosedConfigParser()
    parser.read_string(text)
    return parser


@settings(max_examples=40, deadline=None)
@example(["\xa0;"])
@example([" # a", "\u3000#"])
@given(st.lists(NO_BREAKS, min_size=1))
def test_supervisor_reads_the_words_of_a_command(words):
    text = render([Program("p", tuple(words))], DAEMON)
    command = parsed(text).saneget("program:p", "command", expansions={"ENV_X": "no"})
    assert shlex.split(command) == words


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z_]+", fullmatch=True), st.text(), min_size=1))
def test_an_environment_survives_whatever_it_holds(environment):
    text = render([Program("p", ("true",), environment=environment)], DAEMON)
    assert json.loads(parsed(text).get("program:p", "environment_json")) == environment


def test_every_grace_period_is_the_one_deadline():
    text = render([Program("a", ("true",)), Program("b", ("true",))], DAEMON)
    parser = parsed(text)
    assert {parser.get(f"program:{name}", "stopwaitsecs") for name in "ab"} == {"23"}


def test_there_is_no_tcp_port_unless_it_is_asked_for():
    assert not parsed(render([], DAEMON)).has_section("inet_http_server")


def test_the_tcp_port_has_a_password_that_is_not_written_down():
    port = ControlPort("::1", 9001, "op%s", "ab12")
    parser = parsed(render([], DAEMON._replace(control=port)))
    assert parser.get("inet_http_server", "port") == "[::1]:9001"
    assert parser.saneget("inet_http_server", "username", expansions={}) == "op%s"
    assert parser.get("inet_http_server", "password") == "{SHA}ab12"


def test_the_control_socket_is_the_owners():
    assert parsed(render([], DAEMON)).get("unix_http_server", "chmod") == "0600"


def test_output_goes_into_no_files():
    parser = parsed(render([Program("p", ("true",))], DAEMON))
    assert parser.get("program:p", "stdout_logfile") == "NONE"
    assert parser.get("program:p", "stderr_logfile") == "NONE"
    assert parser.get("supervisord", "logfile") == "/dev/null"


def test_files_of_the_operator_are_included_where_there_are_any():
    assert not parsed(render([], DAEMON)).has_section("include")
    found = parsed(render([], DAEMON._replace(include="/etc/x/*.conf")))
    assert found.get("include", "files") == "/etc/x/*.conf"


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(Program("p", ("true", "a\nb")), id="command"),
        pytest.param(Program("p", ("true",), directory="/a ;b"), id="comment-in-a-directory"),
    ],
)
def test_what_cannot_be_said_in_a_line_is_refused(program):
    with pytest.raises(ConfigError):
        render([program], DAEMON)
