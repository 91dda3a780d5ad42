"""The errors' sentences, and the exit status of each."""

import os
import re

import pytest

from pastebox import errors
from pastebox.errors import ConfigError, ExitCode, PasteboxError, UsageError

SYSEXITS = [
    ("OK", os.EX_OK),
    ("USAGE", 2),
    ("UNAVAILABLE", os.EX_UNAVAILABLE),
    ("APP_FAILED", os.EX_SOFTWARE),
    ("CANNOT_CREATE", os.EX_CANTCREAT),
    ("TEMPORARY", os.EX_TEMPFAIL),
    ("NO_PERMISSION", os.EX_NOPERM),
    ("CONFIG", os.EX_CONFIG),
    ("FAILURE", 1),
    ("DRAIN_TIMEOUT", 124),
]


@pytest.mark.parametrize(("name", "number"), SYSEXITS)
def test_exit_codes_are_those_of_the_contract(name, number):
    assert ExitCode[name] == number


def test_every_exit_code_is_in_the_contract_and_has_a_meaning():
    assert {name for name, _ in SYSEXITS} == set(ExitCode.__members__)
    for code in ExitCode:
        assert re.fullmatch(r"[a-z].*[^.]", code.meaning)


def test_each_error_class_has_a_code_of_its_own():
    kinds = PasteboxError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert {kind.__name__ for kind in kinds} <= set(vars(errors))


RENDERINGS = [
    pytest.param({"message": "it is wrong"}, "error: it is wrong", id="message alone"),
    pytest.param(
        {"found": '"80a0"', "expected": "a number"},
        'error: found "80a0", expected a number',
        id="found and expected",
    ),
    pytest.param(
        {"message": "the port", "found": '"x"'},
        'error: the port: found "x"',
        id="message and found",
    ),
    pytest.param(
        {
            "message": "bad",
            "file": "/a.ini",
            "line": 14,
            "section": "server:main",
            "option": "port",
        },
        "error: /a.ini:14 [server:main] port: bad",
        id="the whole place",
    ),
    pytest.param(
        {"message": "bad", "file": "/a.ini", "line": 0}, "error: /a.ini: bad", id="no line"
    ),
    pytest.param(
        {"message": "bad", "option": "PASTEBOX_PORT"}, "error: PASTEBOX_PORT: bad", id="a variable"
    ),
    pytest.param(
        {"message": "bad", "hint": "do this\nor that"},
        "error: bad\n  hint: do this\n  hint: or that",
        id="hint of two lines",
    ),
]


@pytest.mark.parametrize(("parts", "text"), RENDERINGS)
def test_rendering(parts, text):
    assert ConfigError(**parts).render() == text


def test_errors_are_told_apart_by_kind():
    assert UsageError("x").exit_code == 2
    assert issubclass(UsageError, PasteboxError)
    assert str(PasteboxError("plain")) == "plain"
