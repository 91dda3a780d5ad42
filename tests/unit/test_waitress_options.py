"""The options of ``egg:waitress#main``: waitress's own names, strictly read."""

import pytest
from waitress.adjustments import Adjustments

from pastebox.config.model import Bind, Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners import connections, waitress_options
from pastebox.runners.waitress_options import OPTIONS, adjustments, binds, check_options

NOT_IN_AN_INI = {"sockets"}
"""Objects that only a program can pass."""


def spec(**options):
    origins = {name: Origin("app.ini:7", "app.ini", 7) for name in options}
    return ServerSpec(
        runner="waitress",
        use="egg:waitress#main",
        section="server:main",
        file="app.ini",
        options=options,
        global_conf={},
        origins=origins,
    )


def test_names_are_waitress_own():
    names = {name for name, _ in Adjustments._params}
    assert set(OPTIONS) == names - NOT_IN_AN_INI


GOOD = [
    ("threads", "4", 4),
    ("threads", " 4 ", 4),
    ("port", "0", 0),
    ("port", "65535", 65535),
    ("ipv4", "true", True),
    ("ipv4", "YES", True),
    ("ipv6", "off", False),
    ("unix_socket_perms", "660", 0o660),
    ("unix_socket_perms", "0o660", 0o660),
    ("url_scheme", "https", "https"),
    ("url_prefix", "/a/b/", "/a/b"),
    ("url_prefix", "a", "/a"),
    ("url_prefix", "/", ""),
    ("trusted_proxy_headers", "forwarded x-forwarded-for", ["forwarded", "x-forwarded-for"]),
    ("ident", "", ""),
    ("server_name", "a.example", "a.example"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_good_values(name, text, value):
    assert check_options(spec(**{name: text})) == {name: value}


NUMBERS = [name for name, (_, expected) in OPTIONS.items() if expected == "a whole number"]
FLAGS = [name for name, (_, expected) in OPTIONS.items() if expected == "true or false"]
BAD = [
    *((name, text) for name in NUMBERS for text in ("", "many", "-1", "1.5", "1_0", "٣")),
    *((name, text) for name in FLAGS for text in ("", "perhaps", "2", "tru")),
    ("threads", "0"),
    ("port", "65536"),
    ("port", "http"),
    ("unix_socket_perms", "999"),
    ("unix_socket_perms", "7777"),
    ("unix_socket_perms", "rw"),
    ("url_scheme", "gopher"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_bad_values_are_refused_with_their_place(name, text):
    with pytest.raises(ConfigError) as caught:
        check_options(spec(**{name: text}))
    error = caught.value
    assert (error.file, error.line, error.section, error.option) == (
        "app.ini",
        7,
        "server:main",
        name,
    )
    assert error.found == f'"{text}"'


def test_unknown_name_has_a_hint():
    with pytest.raises(ConfigError) as caught:
        check_options(spec(treads="4"))
    assert caught.value.hint == "did you mean threads?"


PAIRS = [
    ({"listen": "*:80", "host": "x"}, "host"),
    ({"listen": "*:80", "port": "1"}, "port"),
    ({"unix_socket": "/s", "host": "x"}, "host"),
    ({"unix_socket": "/s", "port": "1"}, "port"),
    ({"unix_socket": "/s", "listen": "*:80"}, "listen"),
]


@pytest.mark.parametrize(("options", "named"), PAIRS)
def test_two_ways_to_say_where_are_refused(options, named):
    with pytest.raises(ConfigError) as caught:
        check_options(spec(**options))
    assert caught.value.option == named


BINDS = [
    ({}, (Bind("tcp", "0.0.0.0", 8080),)),
    ({"port": "0", "host": "::1"}, (Bind("tcp", "::1", 0),)),
    ({"host": "*"}, (Bind("tcp", "", 8080),)),
    ({"host": "[::1]"}, (Bind("tcp", "::1", 8080),)),
    ({"listen": "*:81 [::1]:82"}, (Bind("tcp", "", 81), Bind("tcp", "::1", 82))),
    ({"listen": "127.0.0.1"}, (Bind("tcp", "127.0.0.1", 8080),)),
    ({"listen": "[::1]"}, (Bind("tcp", "::1", 8080),)),
    ({"unix_socket": "/s"}, (Bind("unix", path="/s", mode=0o600),)),
    (
        {"unix_socket": "/s", "unix_socket_perms": "660"},
        (Bind("unix", path="/s", mode=0o660),),
    ),
]


@pytest.mark.parametrize(("options", "expected"), BINDS)
def test_binds(options, expected):
    asked = spec(**options)
    assert binds(asked, check_options(asked)) == expected


@pytest.mark.parametrize("text", ["", "127.0.0.1:x", "127.0.0.1:65536", ":-1"])
def test_bad_listen_words_are_refused(text):
    asked = spec(listen=text)
    with pytest.raises(ConfigError) as caught:
        binds(asked, check_options(asked))
    assert caught.value.option == "listen"


def adjusted(**options):
    asked = spec(**options)
    return adjustments(asked, check_options(asked))


LIMITS = [(256, 100), (1024, 824), (20_000, 10_000), (-1, 10_000)]


@pytest.mark.parametrize(("descriptors", "limit"), LIMITS)
def test_connection_limit_follows_the_descriptor_limit(monkeypatch, descriptors, limit):
    monkeypatch.setattr(connections.resource, "getrlimit", lambda kind: (descriptors, descriptors))
    assert adjusted().connection_limit == limit


def test_connection_limit_as_given():
    assert adjusted(connection_limit="7").connection_limit == 7


def test_every_option_reaches_waitress():
    """Except where to listen, which is the master's."""
    texts = {
        "threads": "3", "trusted_proxy": "10.0.0.1", "trusted_proxy_count": "2",
        "trusted_proxy_headers": "x-forwarded-for", "log_untrusted_proxy_headers": "on",
        "clear_untrusted_proxy_headers": "on", "url_scheme": "https", "url_prefix": "/p",
        "backlog": "17", "recv_bytes": "4096", "send_bytes": "2", "outbuf_overflow": "70000",
        "outbuf_high_watermark": "80000", "inbuf_overflow": "60000", "connection_limit": "9",
        "cleanup_interval": "8", "channel_timeout": "77", "log_socket_errors": "off",
        "max_request_header_size": "5000", "max_request_body_size": "6000",
        "expose_tracebacks": "on", "ident": "me", "asyncore_loop_timeout": "2",
        "asyncore_use_poll": "on", "channel_request_lookahead": "1", "server_name": "n",
    }  # fmt: skip
    assert set(texts) == set(OPTIONS) - waitress_options.BINDING
    asked = spec(**texts)
    values = check_options(asked)
    made = adjustments(asked, values)
    for name, value in values.items():
        found = getattr(made, name)
        assert (found == value) or (set(found) == set(value)), name


def test_what_waitress_refuses_is_ours_to_say():
    with pytest.raises(ConfigError, match="waitress refuses"):
        adjusted(trusted_proxy_headers="forwarded x-forwarded-for", trusted_proxy="*")
