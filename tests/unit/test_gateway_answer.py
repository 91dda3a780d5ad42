"""What an application may give, and what is refused instead of guessed (PEP 3333)."""

from __future__ import annotations

import pytest

from pastebox.gateway.answer import Answer
from pastebox.gateway.body import Body
from pastebox.gateway.request import Request
from pastebox.gateway.scgi import ScgiReply


class Sink:
    """Remembers what was sent."""

    is_leaving = False

    def __init__(self):
        self.data = b""

    def send(self, data):
        self.data += bytes(data)


def answer_of(app, method="GET"):
    sink = Sink()
    answer = Answer(Request({"REQUEST_METHOD": method}, Body(), ScgiReply()), sink)
    answer.run(app, {"PATH_INFO": "/"})
    return answer, sink.data


def app_with(status="200 OK", headers=(), body=(b"x",)):
    def app(environ, start_response):
        start_response(status, list(headers))
        return body

    return app


def writing(part):
    def app(environ, start_response):
        start_response("200 OK", [])(part)
        return []

    return app


REFUSED = [
    pytest.param(app_with(body=["text"]), id="str in a list"),
    pytest.param(app_with(body=iter(["text"])), id="str from an iterator"),
    pytest.param(app_with(body="text"), id="str as the body"),
    pytest.param(app_with(body=[bytearray(b"x")]), id="bytearray"),
    pytest.param(app_with(body=[None]), id="None in the body"),
    pytest.param(app_with(body=None), id="no body"),
    pytest.param(writing("text"), id="str to write"),
    pytest.param(app_with(status=b"200 OK"), id="status of bytes"),
    pytest.param(app_with(status="200"), id="status without a reason"),
    pytest.param(app_with(status="200 OK\r\nX: y"), id="status of two lines"),
    pytest.param(app_with(headers=[("X", b"y")]), id="value of bytes"),
    pytest.param(app_with(headers=[(b"X", "y")]), id="name of bytes"),
    pytest.param(app_with(headers=[("X", "y\r\nSet-Cookie: a=b")]), id="value of two lines"),
    pytest.param(app_with(headers=[("X Y", "z")]), id="name with a space"),
    pytest.param(app_with(headers=[("X", "\u20ac")]), id="value that is not latin-1"),
    pytest.param(app_with(headers=[("Content-Length", "-1")]), id="negative length"),
    pytest.param(app_with(headers=[("Connection", "close")]), id="header of the connection"),
    pytest.param(lambda environ, start_response: [b"x"], id="no start_response"),
    pytest.param(lambda environ, start_response: 1 / 0, id="exception"),
]


@pytest.mark.parametrize("app", REFUSED)
def test_what_is_not_wsgi_is_answered_with_500_and_logged(app, caplog):
    answer, data = answer_of(app)
    assert data.startswith(b"Status: 500 ")
    assert (answer.status, answer.is_whole) == (500, True)
    assert "exception while serving path=/" in caplog.text


@pytest.mark.parametrize("second", ["text", None])
def test_a_fault_after_the_first_part_leaves_the_answer_without_its_end(second, caplog):
    answer, data = answer_of(app_with(body=iter([b"first", second])))
    assert data.startswith(b"Status: 200 OK")
    assert not answer.is_whole


def test_what_is_wsgi_is_sent():
    answer, data = answer_of(app_with(headers=[("X", "\xe9")], body=[b"a", b"", b"b"]))
    assert data == b"Status: 200 OK\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nab"
    assert answer.is_whole


def test_an_answer_shorter_than_its_length_is_not_whole(caplog):
    answer, _ = answer_of(app_with(headers=[("Content-Length", "5")]))
    assert not answer.is_whole


def test_an_answer_longer_than_its_length_is_cut_off(caplog):
    _, data = answer_of(app_with(headers=[("Content-Length", "1")], body=[b"xyz"]))
    assert data.endswith(b"\r\n\r\nx")
