"""The options of the servers that old INIs name: translated, checked, refused."""

import pytest

from pastebox.config.model import Bind, Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners import http, options
from pastebox.runners.external import ExternalRunner
from pastebox.runners.registry import RUNNERS, load_runner

OPEN = {"waitress", "wsgiref", "flup_fcgi_thread", "flup_fcgi_fork"}
"""Their default address is every one of the machine, or none at all."""


def spec_of(runner, **said):
    return ServerSpec(
        runner=runner,
        use="egg:x#y",
        section="server:main",
        file="/x.ini",
        options={name: str(value) for name, value in said.items()},
        global_conf={},
        origins={name: Origin("INI", "/x.ini", 7) for name in said},
        protocol="",
        notes=(),
    )


def binds_of(runner, **said):
    return load_runner(spec_of(runner)).binds(spec_of(runner, **said))


@pytest.mark.parametrize(
    ("runner", "said", "bind"),
    [
        pytest.param("wsgiutils", {}, Bind("tcp", "localhost", 8080), id="wsgiutils"),
        pytest.param("cherrypy", {}, Bind("tcp", "127.0.0.1", 8080), id="cherrypy"),
        pytest.param("cherrypy", {"host": "0.0.0.0:99"}, Bind("tcp", "0.0.0.0", 99), id="h:p"),
        pytest.param("cherrypy", {"host": "[::1]:99"}, Bind("tcp", "::1", 99), id="[h]:p"),
        pytest.param("cherrypy", {"host": "::1"}, Bind("tcp", "::1", 8080), id="bare ipv6"),
        pytest.param("cherrypy", {"host": "/s"}, Bind("unix", path="/s", mode=0o777), id="path"),
        pytest.param("wsgiref", {}, Bind("tcp", "0.0.0.0", 8080), id="wsgiref"),
        pytest.param("http", {}, Bind("tcp", "127.0.0.1", 8080), id="http"),
        pytest.param("http", {"host": "h:99"}, Bind("tcp", "h", 99), id="http h:p"),
    ],
)
def test_address(runner, said, bind):
    assert binds_of(runner, **said) == (bind,)


@pytest.mark.parametrize(
    ("runner", "option", "value"),
    [
        pytest.param("wsgiutils", "threads", "4", id="unknown"),
        pytest.param("wsgiutils", "port", "99999", id="port too large"),
        pytest.param("cherrypy", "numthreads", "0", id="no thread"),
        pytest.param("cherrypy", "max", "5", id="fewer threads at most than at least"),
        pytest.param("cherrypy", "timeout", "-1", id="negative time"),
        pytest.param("cherrypy", "timeout", "inf", id="endless time"),
        pytest.param("cherrypy", "protocol_version", "HTTP/2", id="protocol"),
        pytest.param("cherrypy", "ssl_pem", "/nonexistent", id="no key"),
        pytest.param("cherrypy", "ssl_pem", __file__, id="not a key"),
        pytest.param("cherrypy", "host", "h:many", id="port in host"),
        pytest.param("wsgiref", "wsgiref.threaded", "maybe", id="flag"),
        pytest.param("http", "use_threadpool", "false", id="no pool"),
        pytest.param("http", "ssl_pem", "*", id="tls"),
        pytest.param("http", "threadpool_kill_thread_limit", "600", id="watching threads"),
        pytest.param("http", "protocol_version", "HTTP/1.0", id="older protocol"),
        pytest.param("external", "port", "many", id="external port"),
    ],
)
def test_refusal_names_the_option_and_its_line(runner, option, value):
    runner_ = ExternalRunner() if runner == "external" else load_runner(spec_of(runner))
    with pytest.raises(ConfigError) as caught:
        runner_.binds(spec_of(runner, **{option: value}))
    assert (caught.value.option, caught.value.file, caught.value.line) == (option, "/x.ini", 7)


def test_options_of_paste_are_said_in_the_words_of_waitress():
    said = {
        "threadpool_workers": 3,
        "request_queue_size": 7,
        "socket_timeout": 20,
        "server_version": "x",
        "use_threadpool": "true",
        "daemon_threads": "yes",
    }
    translated = http.for_waitress(spec_of("http", **said))
    assert translated.options == {
        "threads": "3",
        "backlog": "7",
        "channel_timeout": "20",
        "ident": "x",
        "host": "127.0.0.1",
        "port": "8080",
    }
    assert translated.origins["threads"].line == 7


def test_paste_has_ten_threads_by_default():
    assert http.for_waitress(spec_of("http")).options["threads"] == "10"


@pytest.mark.parametrize(
    ("said", "binds"),
    [
        pytest.param({"port": 80}, (Bind("tcp", "", 80),), id="port"),
        pytest.param({"host": "h", "port": 80}, (Bind("tcp", "h", 80),), id="host and port"),
        pytest.param({"bind": "h:80"}, (Bind("tcp", "h", 80),), id="bind"),
        pytest.param({"socket": "/s"}, (Bind("unix", path="/s", mode=0o660),), id="pyruvate"),
        pytest.param({"bind": "unix:/s"}, (Bind("unix", path="/s", mode=0o660),), id="unix:"),
        pytest.param({"something": "else"}, (), id="nothing that is known"),
    ],
)
def test_address_of_a_server_that_is_not_ours(said, binds):
    assert ExternalRunner().binds(spec_of("egg:x#y", **said)) == binds


@pytest.mark.parametrize("name", sorted(set(RUNNERS) - {"cgi"}))
def test_default_that_makes_a_container_unreachable_is_pointed_out(name):
    binds = binds_of(name)
    is_loopback = binds[0].host in ("localhost", "127.0.0.1")
    assert is_loopback == (name not in OPEN)
    assert ("PASTEBOX_HOST" in options.reach_note(spec_of(name), binds)) == is_loopback


@pytest.mark.parametrize("name", sorted(set(RUNNERS) - {"cgi"}))
def test_address_that_somebody_wrote_is_not_pointed_out(name):
    said = {"host": "127.0.0.1", "port": "8080"}
    said |= {"allowedServers": "127.0.0.1"} if name in options.PEER_CHECKED else {}
    assert not options.reach_note(spec_of(name, **said), binds_of(name, **said))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("gunicorn", {"bind": "127.0.0.1:80"}, id="bind"),
        pytest.param("gunicorn", {"bind": "unix:/s"}, id="bind to a socket"),
        pytest.param("granian", {"uds": "/s"}, id="uds"),
        pytest.param("flup_fcgi_thread", {"socket": "/s"}, id="socket"),
    ],
)
def test_address_by_another_name_is_not_pointed_out(name, said):
    assert not options.reach_note(spec_of(name, **said), binds_of(name, **said))


def test_server_that_is_not_ours_is_left_alone():
    assert not options.reach_note(spec_of("egg:x#y"), ())


def test_front_ends_that_may_not_connect_are_pointed_out():
    spec = spec_of("flup_scgi_thread", host="0.0.0.0", port="4000")
    assert "allowedServers" in options.reach_note(spec, binds_of("flup_scgi_thread"))


def test_value_from_the_environment_is_not_said_to_be_in_the_file():
    spec = spec_of("flup_fcgi_thread", port=9000)
    spec = spec._replace(origins={"port": Origin("environment PASTEBOX_PORT")})
    with pytest.raises(ConfigError) as raised:
        load_runner(spec).binds(spec)
    assert str(raised.value) == "environment PASTEBOX_PORT: needs host beside it"
    assert raised.value.hint == "add host, or set PASTEBOX_HOST"
