"""The options of granian, and its calls made whole for WSGI."""

import inspect
import io

import pytest

pytest.importorskip("granian", reason="needs granian: the extra is not installed")

from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.common import AbstractServer

from pastebox.config.model import Bind, Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.observe.counters import Counters
from pastebox.runners.granian import GranianRunner
from pastebox.runners.granian_calls import Calls
from pastebox.runners.granian_input import Input
from pastebox.runners.granian_options import OPTIONS, REFUSED, check_options, of_protocol


def spec(**options):
    origins = {name: Origin(f"app.ini:{n}", "app.ini", n) for n, name in enumerate(options, 5)}
    return ServerSpec(
        "granian", "egg:pastebox#granian", "server:main", "app.ini", options, {}, origins
    )


def test_names_are_granians_own():
    its = {*inspect.signature(AbstractServer).parameters, "host"}
    plain = {name for name in OPTIONS if not name.startswith(("http1_", "http2_"))}
    assert plain <= its
    assert set(REFUSED) - {"workers"} <= its
    for protocol, kind in (("http1", HTTP1Settings), ("http2", HTTP2Settings)):
        assert {*of_protocol(OPTIONS, protocol)} == {*inspect.signature(kind).parameters}


BINDS = [
    pytest.param({}, (Bind("tcp", "127.0.0.1", 8000),), id="granian's default"),
    pytest.param({"host": "[::1]", "port": "0"}, (Bind("tcp", "::1", 0),), id="host and port"),
    pytest.param({"uds": "/run/a"}, (Bind("unix", path="/run/a", mode=0o600),), id="unix"),
    pytest.param(
        {"uds": "/run/a", "uds_permissions": "660"},
        (Bind("unix", path="/run/a", mode=0o660),),
        id="unix with its mode",
    ),
]


@pytest.mark.parametrize(("options", "expected"), BINDS)
def test_addresses(options, expected):
    assert GranianRunner().binds(spec(**options)) == expected


BAD = [
    pytest.param("blocking_threads", "0", "above 0", id="no thread"),
    pytest.param("blocking_threads_idle_timeout", "4", "from 5 to 600", id="idle timeout"),
    pytest.param("http", "3", "one of auto, 1, 2", id="protocol"),
    pytest.param("http1_keep_alive", "perhaps", "true or false", id="flag"),
    pytest.param("port", "x", "a number from 0 to 65535", id="port"),
    pytest.param("uds_permissions", "9", "octal", id="mode"),
    pytest.param("ssl_key", "/no/key", "of no use without ssl_cert", id="key alone"),
    pytest.param("ssl_client_verif", "on", "no such option", id="unknown"),
]


@pytest.mark.parametrize(("name", "text", "told"), BAD)
def test_bad_value_names_file_and_line(name, text, told):
    with pytest.raises(ConfigError) as caught:
        GranianRunner().binds(spec(backlog="128", **{name: text}))
    assert told in str(caught.value)
    assert str(caught.value).startswith("app.ini:6 [server:main] " + name)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_options_of_its_process_manager_are_refused_by_name(name):
    with pytest.raises(ConfigError) as caught:
        check_options(spec(**{name: "x"}))
    assert caught.value.option == name
    assert REFUSED[name] in str(caught.value)


def test_tls_that_cannot_be_read():
    with pytest.raises(ConfigError, match="cannot be read"):
        check_options(spec(ssl_cert="/no/cert", ssl_key="/no/key"))


class Protocol:
    """What granian gives for the answer."""

    def response_bytes(self, status, headers, body):
        self.answer = (status, headers, body)
        self.is_streamed = False

    def response_iter(self, status, headers, parts):
        self.answer = (status, headers, b"".join(parts))
        parts.close()
        self.is_streamed = True


def call(app, path="/", *, prefix="", is_lame=False):
    counters = Counters(1)
    slot = counters.slot(0)
    calls = Calls(app, slot, None, prefix=prefix, is_multiprocess=False)
    calls.is_lame = is_lame
    protocol = Protocol()
    scope = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "x",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }  # fmt: skip
    try:
        calls.answer(protocol, scope)
    finally:
        calls.catch_up()
        assert slot.in_flight == 0
        assert counters.total().requests == 1
    return protocol


PLAIN = [("Content-Type", "text/plain")]


def listed(environ, start_response):
    start_response("201 Created", PLAIN)
    return [b"a", b"b"]


def generated(environ, start_response):
    start_response("201 Created", PLAIN)
    yield b"a"
    yield b"b"


def written(environ, start_response):
    write = start_response("201 Created", PLAIN)
    write(b"a")
    return [b"b"]


def written_then_generated(environ, start_response):
    start_response("201 Created", PLAIN)(b"a")
    return iter([b"b"])


APPS = [listed, generated, written, written_then_generated]


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.__name__)
def test_every_way_to_answer(app):
    assert call(app).answer == (201, PLAIN, b"ab")


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.__name__)
def test_lame_closes_the_connection(app):
    assert call(app, is_lame=True).answer[1] == [*PLAIN, ("Connection", "close")]


def test_list_is_sent_at_once_with_its_length():
    assert not call(listed).is_streamed


def test_body_is_closed_when_its_first_part_fails():
    closed = []

    class Body:
        def __iter__(self):
            raise ValueError("first part")

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return Body()

    with pytest.raises(ValueError, match="first part"):
        call(app)
    assert closed == [True]


def test_answer_that_granian_refuses_is_counted_as_an_error():
    class Refusing(Protocol):
        def response_bytes(self, status, headers, body):
            raise TypeError("no such header")

    counters = Counters(1)
    calls = Calls(listed, counters.slot(0), None, prefix="", is_multiprocess=False)
    with pytest.raises(TypeError, match="no such header"):
        calls.answer(Refusing(), {"PATH_INFO": "/", "wsgi.input": io.BytesIO()})
    calls.catch_up()
    assert calls.in_flight == 0
    assert counters.total().classes[5] == 1


def test_application_that_never_says_a_status_is_an_error():
    with pytest.raises(AttributeError):
        call(lambda environ, start_response: [b"no status"])


def test_prefix_becomes_script_name():
    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    assert call(app, "/blog/x", prefix="/blog").answer[2] == b"/blog /x"


def test_environment_is_no_part_of_the_environ(monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")

    def app(environ, start_response):
        start_response("200 OK", PLAIN)
        return [str("DATABASE_PASSWORD" in environ).encode()]

    assert call(app).answer[2] == b"False"


def test_input_reads_as_a_file_does():
    data = b"one\ntwo\n\nlong " + b"x" * 20_000 + b"\nlast"
    expected = data.splitlines(keepends=True)
    assert list(Input(io.BytesIO(data))) == expected
    assert Input(io.BytesIO(data)).readlines() == expected
    assert Input(io.BytesIO(data)).read() == data
    stream = Input(io.BytesIO(data))
    assert [stream.readline(2), stream.readline(), stream.read(5)] == [b"on", b"e\n", b"two\n\n"]
    assert stream.read(1 << 20) == data[9:]
    assert (stream.read(1), stream.readline(), stream.readlines()) == (b"", b"", [])
