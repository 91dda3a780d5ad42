"""The application's traceback without our frames, once."""

import importlib
import io

from pastebox.errors import AppError, ConfigError
from pastebox.process.report import application_traceback, report


def caught(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError


def test_syntax_error_is_shown_without_the_machinery(tmp_path, monkeypatch):
    (tmp_path / "broken_app.py").write_text("def main(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    error = caught(lambda: importlib.import_module("broken_app").main)
    error.__traceback__ = error.__traceback__.tb_next.tb_next  # without this test's own frames
    text = application_traceback(error)
    assert "importlib" not in text
    assert "broken_app.py" in text
    assert text.rstrip().endswith("SyntaxError: invalid syntax")


def test_cause_of_the_applications_error_is_shown():
    def raises():
        try:
            1 / 0  # noqa: B018  # the division is the point
        except ZeroDivisionError as error:
            raise RuntimeError("on top") from error

    text = application_traceback(caught(raises))
    assert text.index("ZeroDivisionError") < text.index("RuntimeError: on top")


def test_traceback_belongs_to_application_errors_only():
    app, config = AppError("it failed"), ConfigError("it is wrong")
    app.__cause__ = config.__cause__ = caught(lambda: 1 / 0)
    stream = io.StringIO()
    report(app, stream)
    assert "ZeroDivisionError" in stream.getvalue()
    assert stream.getvalue().endswith("error: it failed\n")
    stream = io.StringIO()
    report(config, stream)
    assert stream.getvalue() == "error: it is wrong\n"
