"""Logging: one line per event, in the form asked for, and the INI's own where it has one."""

import configparser
import io
import json
import logging
import os
import re
import sys

import pytest

from pastebox.errors import ConfigError
from pastebox.observe import logs


@pytest.fixture(autouse=True)
def _restored():
    """Give the loggers back as they were; pytest has handlers of its own on the root."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    yield
    for name in list(logging.Logger.manager.loggerDict):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()
        logger.setLevel(logging.NOTSET)
        logger.disabled = False
        logger.propagate = True
    for handler in set(root.handlers) - set(before[1]):
        handler.close()
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.fixture
def stream():
    return io.StringIO()


def test_a_text_line_has_time_level_logger_and_message(stream):
    logs.configure("text", "info", stream=stream)
    logging.getLogger("pastebox.master.loop").info("listening on %s", "0.0.0.0:8080")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info  master listening on 0\.0\.0\.0:8080\n",
        stream.getvalue(),
    )


def test_the_level_is_the_least_shown(stream):
    logs.configure("text", "warning", stream=stream)
    logging.getLogger("pastebox.x").info("no")
    logging.getLogger("waitress").warning("yes")
    assert stream.getvalue().endswith("warn  waitress yes\n")
    assert stream.getvalue().count("\n") == 1


def test_configuring_twice_does_not_double_the_lines(stream):
    logs.configure("text", "info", stream=stream)
    logs.configure("text", "info", stream=stream)
    logging.getLogger("x").info("once")
    assert stream.getvalue().count("once") == 1


def test_a_traceback_follows_as_python_writes_it(stream):
    logs.configure("text", "info", stream=stream)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("app").exception("failed")
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("error app failed")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_json_is_one_object_per_line_with_traceback_and_extras(stream):
    logs.configure("json", "info", stream=stream)
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("app").exception(
            "bad\nthing", extra={"request_id": "r1", "odd": {1, 2}, "pages": [1]}
        )
    (line,) = stream.getvalue().splitlines()
    facts = json.loads(line)
    assert facts["message"] == "bad\nthing"
    assert (facts["level"], facts["logger"], facts["pid"]) == ("error", "app", os.getpid())
    assert facts["request_id"] == "r1"
    assert facts["pages"] == [1]
    assert r"two\nlines" in facts["traceback"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z", facts["time"])


def test_an_extra_that_cannot_be_json_does_not_lose_the_line(stream):
    logs.configure("json", "info", stream=stream)
    cycle = []
    cycle.append(cycle)
    logging.getLogger("app").info("kept \ud800", extra={"cycle": cycle})
    assert json.loads(stream.getvalue())["message"].strip("'").startswith("kept")


INI = """\
[loggers]
keys = root, app
[handlers]
keys = out
[formatters]
keys = short
[logger_root]
level = WARN
handlers = out
[logger_app]
level = INFO
handlers =
qualname = app
[handler_out]
class = FileHandler
args = (r'%(here)s/app.log', 'a')
formatter = short
[formatter_short]
format = %(levelname)s %(name)s %(message)s
"""


def ini(text=INI):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return parser


def test_the_inis_loggers_are_used_with_variables_and_existing_loggers_stay(tmp_path):
    early = logging.getLogger("early.bird")
    place = tmp_path / "100% here"
    place.mkdir()
    logs.configure("ini", "info", loggers=ini(), variables={"here": str(place)})
    early.warning("sings")
    logging.getLogger("app.part").info("in")
    logging.getLogger("other").info("out")
    assert (place / "app.log").read_text() == "WARNING early.bird sings\nINFO app.part in\n"


def test_our_own_lines_are_shown_even_where_the_inis_root_is_at_warn(tmp_path):
    logs.configure("ini", "info", loggers=ini(), variables={"here": str(tmp_path)})
    logging.getLogger("pastebox.master").info("listening")
    assert "INFO pastebox.master listening" in (tmp_path / "app.log").read_text()


def test_ini_without_loggers_is_text(stream):
    logs.configure("ini", "info", stream=stream, loggers=None)
    logging.getLogger("x").info("hello")
    assert stream.getvalue().endswith(" info  x hello\n")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_format_of_ours_leaves_the_inis_loggers_aside(stream, log_format, tmp_path):
    logs.configure(log_format, "info", stream=stream, loggers=ini())
    logging.getLogger("x").info("hello")
    assert "hello" in stream.getvalue()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("keys = out", "keys = out, ghost", id="missing-section"),
        pytest.param("class = StreamHandler", "class = no.such.Handler", id="class"),
        pytest.param("args = (", "args = (1/0, ", id="args"),
        pytest.param("level = WARN", "level = LOUD", id="level"),
        pytest.param("args = (", "args = (r'%(nowhere)s', ", id="variable"),
    ],
)
def test_logging_sections_that_cannot_be_carried_out_are_a_config_error(tmp_path, old, new):
    variables = {"here": str(tmp_path), "__file__": "/etc/app.ini"}
    text = INI.replace("FileHandler", "StreamHandler").replace(
        "(r'%(here)s/app.log', 'a')", "(sys.stderr, )"
    )
    assert old in text
    with pytest.raises(ConfigError, match=r"/etc/app\.ini \[loggers\]: logging cannot be set up"):
        logs.configure("ini", "info", loggers=ini(text.replace(old, new)), variables=variables)


def test_classes_of_the_application_are_named_before_they_are_imported():
    text = INI.replace("class = FileHandler", "class = wiki.logs.Handler")
    assert logs.foreign_classes(ini(text)) == ("wiki.logs.Handler",)
    for own in ("handlers.SysLogHandler", "logging.StreamHandler", "StreamHandler"):
        assert logs.foreign_classes(ini(INI.replace("= FileHandler", f"= {own}"))) == ()


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        pytest.param({"pid": 1, "path": "/x"}, "m pid=1 path=/x", id="plain"),
        pytest.param({"reason": "killed by 9"}, 'm reason="killed by 9"', id="space"),
        pytest.param({"v": 'a"b\\'}, 'm v="a\\"b\\\\"', id="quote"),
        pytest.param({"v": "a\nb\x1b"}, 'm v="a\\nb\\x1b"', id="control"),
        pytest.param({"v": ""}, 'm v=""', id="empty"),
        pytest.param({"v": "a=b"}, 'm v="a=b"', id="equals"),
        pytest.param({"s": 1.23456, "b": True, "n": None}, "m s=1.235 b=True n=None", id="types"),
    ],
)
def test_facts_stand_at_the_end_as_pairs(facts, line):
    assert logs.event("m", **facts) == line


def test_reopening_follows_a_rotation(tmp_path):
    path = tmp_path / "app.log"
    handler = logging.FileHandler(path, mode="w")
    logging.getLogger("app").addHandler(handler)
    logging.getLogger("app").warning("one")
    path.rename(tmp_path / "app.log.1")
    logs.reopen()
    logging.getLogger("app").warning("two")
    logs.reopen()
    logging.getLogger("app").warning("three")
    handler.close()
    assert (tmp_path / "app.log.1").read_text() == "one\n"
    assert path.read_text() == "two\nthree\n"


def test_a_file_that_cannot_be_reopened_goes_on(tmp_path, stream):
    path = tmp_path / "logs" / "app.log"
    path.parent.mkdir()
    handler = logging.FileHandler(path)
    logs.configure("text", "info", stream=stream)
    logging.getLogger("app").addHandler(handler)
    path.parent.rename(tmp_path / "gone")
    logs.reopen()
    logging.getLogger("app").warning("still")
    handler.close()
    assert "log file cannot be reopened" in stream.getvalue()
    assert "still" in (tmp_path / "gone" / "app.log").read_text()


def test_streams_leave_line_by_line_and_never_raise(tmp_path):
    path = tmp_path / "out"
    with path.open("w", encoding="ascii") as stream:
        logs.line_buffered(stream)
        stream.write("caf\xe9 \ud800\n")
        assert path.read_text() == "caf\\xe9 \\ud800\n"


def test_a_forked_child_logs_the_same(capfd):
    logs.configure("text", "info", stream=sys.__stderr__)
    pid = os.fork()
    if not pid:
        logging.getLogger("pastebox.worker").info("hello from the child")
        os._exit(0)
    os.waitpid(pid, 0)
    assert "worker hello from the child" in capfd.readouterr().err
