"""Every example of examples/frontends, served without containers; see also tests/image."""

from __future__ import annotations

import contextlib

import pytest
from front_end_examples import NAMES, Example, make_database
from wiki_reader import Reader

pytestmark = pytest.mark.protocol

LIES = {
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "Proxy": "http://evil.example",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Server": "evil.example",
    "X-Real-IP": "6.6.6.6",
}
"""What servers, PasteDeploy's prefix filter and frameworks are known to believe."""


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module", params=NAMES)
def example(request, tmp_path_factory, database):
    directory = tmp_path_factory.mktemp("e")
    directory.parent.chmod(0o755)
    one = Example(request.param, directory)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: print(one.stop()))
        one.start(database)
        yield one


def test_its_own_program_finds_no_fault(example):
    answer = example.check()
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "[warn" not in (answer.stdout + answer.stderr).lower()


def test_pages_are_read_and_written(example):
    reader = Reader(example.base)
    status, page = reader.read("/")
    assert status == 200
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert path.startswith(example.base.partition(str(example.port))[2] + "/static/")
    assert "color" in Reader(f"http://127.0.0.1:{example.port}").read(path)[1]
    # the form leads to the page: the redirect has the right host, port and path
    reader.write("Written_here", "Written through the front end.")
    assert reader.read("/page/%C3%84_%2541")[0] == 404


def test_a_client_is_not_believed_about_itself(example):
    environ = example.spy(LIES | {"Host": f"localhost:{example.port}"})
    assert environ["REMOTE_ADDR"] == "127.0.0.2"
    assert environ["HTTP_HOST"] == f"localhost:{example.port}"
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["SCRIPT_NAME"] == ("/wiki" if "prefix" in example.name else "")
    believed = {n: t for n, t in environ.items() if "6.6.6.6" in t or "evil" in t or t == "666"}
    assert not believed
    proto = environ.get("HTTP_X_FORWARDED_PROTO", "http")
    assert (proto, environ.get("HTTP_X_FORWARDED_SCHEME")) == ("http", None)


def test_an_upload_beyond_the_limit_is_refused(example):
    status, _ = example.ask("POST", "/page/Large/edit", {"Content-Length": str(11 << 20)})
    assert status == 413
