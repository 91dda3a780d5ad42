"""What a running pastebox writes: access lines, the INI's loggers, JSON, warnings, tracebacks."""

import json
import re

import pytest
from app_process import APP, LOGGERS

pytestmark = pytest.mark.process


def test_combined_access_line(serve):
    app = serve()
    app.request("GET", "/?a=b", headers={"User-Agent": "tester", "Referer": "http://x/"})
    line = app.wait_log(r'^127\.0\.0\.1 .*"GET /\?a=b HTTP/1\.1" .*$')[0]
    assert re.fullmatch(
        r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"GET /\?a=b HTTP/1\.1" 200 3 "http://x/" "tester"',
        line,
    ), line
    assert app.stop() == 0


def test_json_access_line(serve):
    app = serve(PASTEBOX_ACCESS_LOG="json")
    app.get("/?a=b")
    facts = json.loads(app.wait_log(r'^\{.*"/\?a=b".*$')[0])
    assert facts["status"] == 200
    assert app.stop() == 0


def test_access_log_off(serve):
    app = serve(PASTEBOX_ACCESS_LOG="off")
    app.get("/?a=b")
    assert app.stop() == 0
    assert "a=b" not in app.log()


def test_access_lines_of_the_last_requests_are_written(serve):
    app = serve()
    for number in range(20):
        app.get(f"/?n={number}")
    assert app.stop() == 0
    assert len(re.findall(r'"GET /\?n=\d+ HTTP', app.log())) == 20


def test_error_in_the_application_has_its_traceback_and_a_500(serve):
    app = serve()
    answer = app.get("/raise")
    assert answer.status == 500
    assert "raised on purpose" not in answer.text
    app.wait_log("ValueError: raised on purpose")
    app.wait_log(r'"GET /raise HTTP/1.1" 500')
    assert app.stop() == 0


def test_expose_tracebacks(serve):
    app = serve(server="host = 127.0.0.1\nport = 0\nexpose_tracebacks = true")
    assert "raised on purpose" in app.get("/raise").text
    assert app.stop() == 0


def test_json_log_is_one_object_per_line_even_for_tracebacks(serve):
    app = serve(PASTEBOX_LOG_FORMAT="json", PASTEBOX_ACCESS_LOG="json")
    app.get("/raise")
    app.get("/log?text=hello")
    assert app.stop() == 0
    rows = [json.loads(line) for line in app.log().splitlines()]
    assert any("raised on purpose" in row.get("traceback", "") for row in rows)
    assert any(row.get("logger") == "theapp" and "hello" in row["message"] for row in rows)


def test_error_of_the_start_is_one_object_in_json(start):
    app = start(PASTEBOX_LOG_FORMAT="json", code="1 / 0\n")
    assert app.wait_exit() == 70
    rows = [json.loads(line) for line in app.log().splitlines()]
    assert any("ZeroDivisionError" in row.get("traceback", "") for row in rows)


def test_error_of_the_configuration_is_one_object_in_json(start):
    app = start(PASTEBOX_LOG_FORMAT="json", server="port = 80a0")
    assert app.wait_exit() == 78
    (row,) = [json.loads(line) for line in app.log().splitlines()]
    assert (row["section"], row["option"], row["exit_code"]) == ("server:main", "port", 78)


def test_inis_loggers_are_honoured_and_existing_ones_stay_enabled(serve, tmp_path):
    early = "import logging\nlogging.getLogger('early.bird')\n"
    code = early + APP.replace(
        'log.warning("the application says %s"',
        'logging.getLogger("early.bird").warning("the bird says %s"',
    )
    app = serve(code=code, more=LOGGERS)
    app.get("/log?text=tweet")
    assert app.stop() == 0
    assert "WARNING early.bird the bird says tweet" in (tmp_path / "app.log").read_text()


def test_text_format_leaves_the_inis_loggers_aside(serve, tmp_path):
    app = serve(more=LOGGERS, PASTEBOX_LOG_FORMAT="text")
    app.get("/log?text=tweet")
    app.wait_log("warn  theapp the application says tweet")
    assert app.stop() == 0
    assert not (tmp_path / "app.log").exists()


def test_bad_loggers_end_the_start_with_78(start):
    app = start(more=LOGGERS.replace("FileHandler", "NoSuchHandler"))
    assert app.wait_exit() == 78
    assert "logging cannot be set up" in app.log()


@pytest.mark.parametrize(
    ("python", "is_shown"), [(("-W", "always"), True), (("-W", "ignore"), False)]
)
def test_warnings_come_out_as_python_is_told(serve, python, is_shown):
    app = serve(python=python)
    app.get("/warn")
    assert app.stop() == 0
    assert ("DeprecationWarning: old habits" in app.log()) is is_shown
