"""What each HTTP server makes of the headers by which front ends say who the client is."""

from __future__ import annotations

import importlib.util
import json

import pytest
from app_process import free_port

APP = """\
import json

def main(global_conf, **conf):
    def app(environ, start_response):
        texts = {name: text for name, text in environ.items() if isinstance(text, str)}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(texts).encode()]
    return app
"""

SAID = {
    "Forwarded": "for=6.6.6.6;host=evil.example;proto=https",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
}
SERVERS = {
    "waitress": "egg:waitress#main",
    "http": "egg:Paste#http",
    "gunicorn": "egg:gunicorn#main\nforwarded_allow_ips = 192.0.2.1",
    "granian": "egg:pastebox#granian",
    "wsgiutils": "egg:PasteScript#wsgiutils",
    "cherrypy": "egg:PasteScript#cherrypy",
    "twisted": "egg:PasteScript#twisted",
    "wsgiref": "egg:pyramid#wsgiref",
}
NEEDED = {"gunicorn": "gunicorn", "granian": "granian", "twisted": "twisted"}
NEEDED |= {"wsgiutils": "cheroot", "cherrypy": "cheroot"}
TRUSTING = "egg:waitress#main\ntrusted_proxy = 127.0.0.1\ntrusted_proxy_headers = "
PREFIX = """\
filter-with = prefix
[filter:prefix]
use = egg:PasteDeploy#prefix
prefix = /wiki
"""


@pytest.fixture
def environ_of(serve):
    """Return the texts of the environ that a server makes of a request with such headers."""

    def ask(use: str, headers: dict[str, str], path: str = "/page", app: str = ""):
        for word, module in NEEDED.items():
            if word in use and importlib.util.find_spec(module) is None:
                pytest.skip(f"needs runners: {module} is not installed")
        address = f"host = 127.0.0.1\nport = {free_port()}"
        ini = f"[app:main]\npaste.app_factory = theapp:main\n{app}\n"
        process = serve(code=APP, ini=f"{ini}[server:main]\nuse = {use}\n{address}\n")
        return json.loads(process.wait_listening().get(path, headers=headers).text)

    return ask


@pytest.mark.parametrize("use", SERVERS.values(), ids=SERVERS)
def test_nobody_is_believed_unless_the_ini_says_so(environ_of, use):
    environ = environ_of(use, SAID | {"Host": "wiki.example"})
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_HOST"] == "wiki.example"
    assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize(
    ("words", "headers"),
    [
        pytest.param("forwarded", ["Forwarded"], id="Forwarded"),
        pytest.param(
            "x-forwarded-for x-forwarded-host x-forwarded-proto",
            ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"],
            id="X-Forwarded",
        ),
    ],
)
def test_waitress_believes_the_proxy_that_it_trusts(environ_of, words, headers):
    said = {name: text.replace("6.6.6.6", "7.7.7.7, 6.6.6.6") for name, text in SAID.items()}
    if words == "forwarded":
        said["Forwarded"] = f"for=7.7.7.7, {SAID['Forwarded']}"
    environ = environ_of(TRUSTING + words, {name: said[name] for name in headers})
    # the last hop is the one that the proxy itself saw
    assert environ["REMOTE_ADDR"] == "6.6.6.6"
    assert environ["HTTP_HOST"].startswith("evil.example")
    assert environ["wsgi.url_scheme"] == "https"


def test_waitress_hides_the_headers_that_it_was_not_told_of(environ_of):
    environ = environ_of(TRUSTING + "x-forwarded-for", SAID)
    assert environ["REMOTE_ADDR"] == "6.6.6.6"
    assert environ["wsgi.url_scheme"] == "http"
    assert "evil" not in json.dumps(environ)


def test_gunicorn_takes_the_scheme_of_a_proxy_that_it_trusts_and_nothing_else(environ_of):
    use = "egg:gunicorn#main\nforwarded_allow_ips = 127.0.0.1"
    environ = environ_of(use, SAID | {"Host": "wiki.example"})
    assert environ["wsgi.url_scheme"] == "https"
    assert (environ["REMOTE_ADDR"], environ["HTTP_HOST"]) == ("127.0.0.1", "wiki.example")


def test_the_prefix_filter_takes_its_path_off_and_believes_everybody(environ_of):
    environ = environ_of(SERVERS["cherrypy"], SAID, "/wiki/page", PREFIX)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/wiki", "/page")
    assert environ["REMOTE_ADDR"] == "6.6.6.6"  # so a front end must set what it reads


def test_the_prefix_filter_can_be_told_to_believe_nobody(environ_of):
    app = PREFIX + "translate_forwarded_server = false\n"
    environ = environ_of(SERVERS["cherrypy"], SAID | {"Host": "wiki.example"}, "/wiki/page", app)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/wiki", "/page")
    assert (environ["REMOTE_ADDR"], environ["HTTP_HOST"]) == ("127.0.0.1", "wiki.example")
    assert environ["wsgi.url_scheme"] == "http"


def test_waitress_takes_a_prefix_off_by_itself(environ_of):
    environ = environ_of("egg:waitress#main\nurl_prefix = /wiki", {}, "/wiki/page")
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/wiki", "/page")
