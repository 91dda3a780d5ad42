"""Lines and what keeps them: a real pipe, and nothing that waits."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pastebox.daemon import output
from pastebox.daemon.output import Lines, Sink, Streams, Tail


class Kept:
    """A sink that keeps everything."""

    is_full = False

    def __init__(self) -> None:
        self.data = b""

    def put(self, lines: bytes) -> None:
        self.data += lines


def lines_of(sink, **how) -> Lines:
    return Lines("web", "stdout", sink, Tail(), **how)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_lines_are_the_same_however_they_arrive(pieces):
    sink = Kept()
    lines = lines_of(sink)
    for piece in pieces:
        lines.feed(piece)
    lines.end()
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert sink.data == b"".join(b"web | " + line + b"\n" for line in expected)


def test_a_line_without_an_end_is_broken_and_not_lost(monkeypatch):
    monkeypatch.setattr(output, "LONGEST_LINE", 10)
    sink = Kept()
    lines = lines_of(sink)
    lines.feed(b"0123456789abcdefghijXY")
    assert sink.data == b"web | 0123456789\nweb | abcdefghij\n"
    lines.end()
    assert sink.data.endswith(b"web | XY\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b'{"a": 1}', {"program": "web", "a": 1}, id="object"),
        pytest.param(b"{}", {"program": "web"}, id="empty-object"),
        pytest.param(b'{"program": "other"}', {"program": "other"}, id="a-program-of-its-own"),
    ],
)
def test_a_json_object_gets_a_key(line, expected):
    sink = Kept()
    lines_of(sink, as_json=True).feed(line + b"\n")
    assert json.loads(sink.data) == expected


@pytest.mark.parametrize(
    "line",
    [b"plain", b"{not json}", b"[1]", b"", b"\xff\xfe", b"{" * 5000],
    ids=["text", "almost", "list", "empty", "bytes", "deep"],
)
def test_anything_else_becomes_a_json_object(line):
    sink = Kept()
    lines_of(sink, as_json=True).feed(line + b"\n")
    facts = json.loads(sink.data)
    assert facts["program"] == "web"
    assert facts["stream"] == "stdout"
    assert facts["message"] == line.decode("utf-8", "backslashreplace")


def test_the_tail_is_read_by_position():
    tail = Tail()
    tail.put(b"0123456789")
    assert tail.read(0, 0) == b"0123456789"
    assert tail.read(-3, 0) == b"789"
    assert tail.read(4, 2) == b"45"
    assert tail.read(-100, 0) == b"0123456789"
    assert tail.read(10, 0) == b""


def test_the_tail_forgets_what_is_old(monkeypatch):
    monkeypatch.setattr(output, "TAIL", 10)
    tail = Tail()
    for number in range(100):
        tail.put(b"%09d\n" % number)
    assert tail.total == 1000
    assert tail.read(0, 0).endswith(b"000000098\n000000099\n")
    assert len(tail.read(0, 0)) <= 20
    assert tail.read(990, 0) == b"000000099\n"


@pytest.fixture
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_slow_reader_keeps_lines_waiting_and_nobody_else(pipe):
    readable, writable = pipe
    sink = Sink(writable)
    line = b"x" * 999 + b"\n"
    for _ in range(2000):
        sink.put(line)
    assert sink.is_full
    assert sink.writable()
    read = 0
    while sink.writable():
        read += len(os.read(readable, 65536))
        sink.handle_write_event()
    os.set_blocking(readable, False)
    while read < 2000 * 1000:
        read += len(os.read(readable, 65536))
    assert not sink.is_full


def test_a_reader_that_is_gone_is_no_error():
    readable, writable = os.pipe()
    os.close(readable)
    sink = Sink(writable)
    sink.put(b"nobody reads this\n")
    assert not sink.writable()
    os.close(writable)


def test_one_pipe_for_both_streams_is_one_queue(pipe):
    _, writable = pipe
    other = os.dup(writable)
    assert Streams(writable, other).err.fd == writable
    os.close(other)
