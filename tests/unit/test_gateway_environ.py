"""What front ends send, and what WSGI wants of it."""

import pytest

from pastebox.gateway.environ import mend

NGINX_FCGI = {"SCRIPT_NAME": "/a/b", "REQUEST_URI": "/a/b?x=1"}
NGINX_SCGI = {"DOCUMENT_URI": "/a b", "REQUEST_URI": "/a%20b"}


@pytest.mark.parametrize(
    ("given", "script_name", "expected"),
    [
        pytest.param(NGINX_FCGI, None, ("", "/a/b"), id="nginx-fastcgi-params"),
        pytest.param(NGINX_SCGI, "", ("", "/a b"), id="nginx-scgi-params"),
        pytest.param(
            {"SCRIPT_NAME": "/m", "PATH_INFO": "", "REQUEST_URI": "/m"},
            None,
            ("/m", ""),
            id="mount-point-itself",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/m", "PATH_INFO": "/x", "REQUEST_URI": "/m/x"},
            None,
            ("/m", "/x"),
            id="both-given",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/a ", "PATH_INFO": "/a%20b", "REQUEST_URI": "/a%20b"},
            "",
            ("", "/a b"),
            id="apache-proxy-scgi-cuts-an-escaped-path-wrongly",
        ),
        pytest.param(
            {"SCRIPT_NAME": "/m", "PATH_INFO": "/x%20y", "REQUEST_URI": "/m/x%20y"},
            "/m",
            ("/m", "/x y"),
            id="apache-proxy-scgi-below-a-mount",
        ),
        pytest.param(
            {"SCRIPT_NAME": "", "PATH_INFO": "/m/x", "REQUEST_URI": "/m/x"},
            "/m",
            ("/m", "/x"),
            id="script-name-option-splits",
        ),
        pytest.param(
            {"SCRIPT_NAME": "", "PATH_INFO": "/mx", "REQUEST_URI": "/mx"},
            "/m",
            ("", "/mx"),
            id="script-name-option-does-not-split-a-word",
        ),
        pytest.param({"REQUEST_URI": "/a%C3%A9"}, None, ("", "/a\xc3\xa9"), id="utf-8-as-latin-1"),
        pytest.param(
            {"SCRIPT_NAME": "", "PATH_INFO": "/new", "REQUEST_URI": "/old"},
            None,
            ("", "/new"),
            id="rewritten-by-the-front-end",
        ),
    ],
)
def test_path_and_script_name(given, script_name, expected):
    environ = mend(given, script_name=script_name)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == expected


def test_http_content_variables_are_gone():
    environ = mend(
        {"HTTP_CONTENT_LENGTH": "3", "CONTENT_LENGTH": "3", "HTTP_CONTENT_TYPE": "x/y"},
        script_name=None,
    )
    assert environ["CONTENT_LENGTH"] == "3"
    assert not [name for name in environ if name.startswith("HTTP_CONTENT")]


@pytest.mark.parametrize(
    ("given", "scheme"),
    [
        pytest.param({}, "http", id="nothing"),
        pytest.param({"HTTPS": "on"}, "https", id="https-on"),
        pytest.param({"HTTPS": "off"}, "http", id="https-off"),
        pytest.param({"REQUEST_SCHEME": "https"}, "https", id="request-scheme"),
    ],
)
def test_scheme(given, scheme):
    assert mend(given, script_name=None)["wsgi.url_scheme"] == scheme
