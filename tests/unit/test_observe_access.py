"""The access log: one request is one line that a reader can take apart, whatever was sent."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pastebox.observe.access import AccessRecord, format_combined, format_json, formatter

RECORD = AccessRecord(
    remote="10.1.2.3",
    user="",
    time=1763712000.123,
    method="GET",
    target="/wiki?x=1",
    protocol="HTTP/1.1",
    status=200,
    size=5123,
    referer="http://example.org/",
    agent="curl/8.5",
    seconds=0.0123,
    request_id="",
)
QUOTED = r'"((?:[^"\\]|\\.)*)"'
COMBINED = re.compile(
    rf"(\S+) - (\S+) \[([^]]+)\] {QUOTED} (\d+) (\d+) {QUOTED} {QUOTED}", re.ASCII
)


def test_a_plain_request_is_apaches_combined_line():
    assert format_combined(RECORD) == (
        '10.1.2.3 - - [21/Nov/2025:08:00:00 +0000] "GET /wiki?x=1 HTTP/1.1" 200 5123'
        ' "http://example.org/" "curl/8.5"'
    )


def test_what_is_unknown_is_a_dash():
    line = format_combined(RECORD._replace(remote="", referer="", agent=""))
    assert line.startswith("- - - [")
    assert line.endswith(' "-" "-"')


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        pytest.param('a"b', r"a\"b", id="quote"),
        pytest.param("a\\b", r"a\\b", id="backslash"),
        pytest.param("a\nb\rc\td", r"a\nb\rc\td", id="line-ends"),
        pytest.param("a\x00\x1b[31m\x7f", r"a\x00\x1b[31m\x7f", id="terminal-escape"),
        pytest.param("caf\xc3\xa9", r"caf\xc3\xa9", id="latin-1"),
        pytest.param("\u20ac\ud800", r"\xe2\x82\xac\xed\xa0\x80", id="beyond-latin-1"),
    ],
)
def test_what_could_end_a_field_is_escaped(agent, shown):
    assert format_combined(RECORD._replace(agent=agent)).endswith(f' "{shown}"')


def test_a_user_cannot_add_a_field():
    fields = COMBINED.fullmatch(format_combined(RECORD._replace(user="eve [x] y")))
    assert fields
    assert fields[2] == r"eve\x20[x]\x20y"


texts = st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1")))
records = st.builds(
    RECORD._replace,
    **dict.fromkeys(
        ("remote", "user", "method", "target", "protocol", "referer", "agent", "request_id"), texts
    ),
    status=st.integers(100, 599),
    size=st.integers(0, 2**40),
    time=st.floats(0, 4e9),
    seconds=st.floats(0, 1e6),
)


@given(records)
def test_any_request_is_one_combined_line_that_can_be_parsed(record):
    line = format_combined(record)
    assert line.isascii()
    assert line.isprintable()
    fields = COMBINED.fullmatch(line)
    assert fields
    assert (int(fields[5]), int(fields[6])) == (record.status, record.size)


@given(records)
def test_any_request_is_one_json_line_that_gives_back_its_texts(record):
    line = format_json(record)
    assert line.isascii()
    assert line.isprintable()
    facts = json.loads(line)
    for name in ("remote", "user", "method", "target", "protocol", "referer", "agent"):
        assert facts[name] == getattr(record, name)


def test_a_formatter_goes_by_the_name_of_the_setting():
    assert formatter("off") is None
    assert formatter("combined") is format_combined
    assert formatter("json") is format_json
