"""A piece of HTML goes into pages, once, and into nothing else."""

import pytest

from pastebox.runners.inject import inject

PIECE = b"<i>!</i>"


def answer(parts, headers, *, status="200 OK", method="GET", is_passing=True, write=()):
    seen = {}

    def app(environ, start_response):
        seen["environ"] = environ
        send = start_response(status, headers)
        for part in write:
            send(part)
        return parts

    def start_response(status, headers, exc_info=None):
        seen.update(status=status, headers=dict(headers), sent=[])
        return seen["sent"].append

    environ = {"REQUEST_METHOD": method, "HTTP_IF_NONE_MATCH": '"a"'}
    result = inject(app, environ, start_response, PIECE, is_passing=is_passing)
    body = b"".join(result)
    return seen, b"".join(seen["sent"]) + body


HTML = ("Content-Type", "text/html; charset=utf-8")
PAGES = [
    pytest.param([b"<p><body>x"], b"<p><body><i>!</i>x", id="in one part"),
    pytest.param([b"<bo", b"dy a='b'", b">x", b"y"], b"<body a='b'><i>!</i>xy", id="in several"),
    pytest.param([b"<BODY>x<body>"], b"<BODY><i>!</i>x<body>", id="once"),
    pytest.param([b"no body"], b"no body<i>!</i>", id="at the end"),
    pytest.param([], b"<i>!</i>", id="into nothing"),
    pytest.param([b"<tbody>x"], b"<tbody>x<i>!</i>", id="no other element"),
]


@pytest.mark.parametrize(("parts", "expected"), PAGES)
def test_page(parts, expected):
    length = ("Content-Length", str(sum(map(len, parts))))
    seen, body = answer(parts, [HTML, length])
    assert body == expected
    assert seen["headers"]["Content-Length"] == str(len(expected))


def test_what_is_written_by_the_old_way_counts_too():
    _, body = answer([b"x"], [HTML], write=[b"<bod", b"y>"])
    assert body == b"<body><i>!</i>x"


def test_page_without_an_early_body_is_not_kept_waiting():
    _, body = answer([b"x" * (1 << 16), b"y<body>"], [HTML])
    assert body == b"x" * (1 << 16) + b"y<body><i>!</i>"


OTHERS = [
    pytest.param([("Content-Type", "text/plain")], "200 OK", id="text"),
    pytest.param([("Content-Type", "application/json")], "200 OK", id="json"),
    pytest.param([HTML, ("Content-Encoding", "gzip")], "200 OK", id="compressed"),
    pytest.param([HTML, ("Content-Range", "bytes 0-1/9")], "206 Partial Content", id="a part"),
    pytest.param([HTML, ("Content-Disposition", "attachment")], "200 OK", id="a download"),
    pytest.param([], "200 OK", id="nothing said"),
]


@pytest.mark.parametrize(("headers", "status"), OTHERS)
def test_everything_else_is_left_as_it_is(headers, status):
    seen, body = answer([b"<body>x"], headers, status=status)
    assert body == b"<body>x"
    assert seen["headers"] == dict(headers)


def test_not_modified_has_no_body():
    _, body = answer([], [HTML], status="304 Not Modified")
    assert body == b""


def test_head_has_the_length_and_no_body():
    seen, body = answer([], [HTML, ("Content-Length", "7")], method="HEAD")
    assert body == b""
    assert seen["headers"]["Content-Length"] == str(7 + len(PIECE))


def test_passing_page_is_neither_kept_nor_taken_from_what_was_kept():
    headers = [HTML, ("ETag", '"a"'), ("Cache-Control", "max-age=60"), ("Last-Modified", "x")]
    seen, _ = answer([b"x"], headers)
    assert seen["headers"] == {"Content-Type": HTML[1], "Cache-Control": "no-store"}
    assert "HTTP_IF_NONE_MATCH" not in seen["environ"]


def test_lasting_piece_leaves_the_cache_to_the_application():
    seen, _ = answer([b"x"], [HTML, ("Cache-Control", "max-age=60")], is_passing=False)
    assert seen["headers"]["Cache-Control"] == "max-age=60"
    assert "HTTP_IF_NONE_MATCH" in seen["environ"]
