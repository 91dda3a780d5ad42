"""flup's options: names, defaults, refusals."""

import pytest

from pastebox.config.model import Bind, Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners import flup, flup_fork, flup_options

RUNNERS = {
    "scgi": flup.ScgiThreadRunner,
    "fcgi": flup.FcgiThreadRunner,
    "ajp": flup.AjpThreadRunner,
    "scgi_fork": flup_fork.ScgiForkRunner,
    "fcgi_fork": flup_fork.FcgiForkRunner,
    "ajp_fork": flup_fork.AjpForkRunner,
}


def spec(**options):
    origins = {name: Origin("INI", "/app.ini", 7) for name in options}
    return ServerSpec("flup", "flup", "server:main", "/app.ini", options, {}, origins)


@pytest.mark.parametrize(
    ("runner", "options", "bind"),
    [
        pytest.param("scgi", {}, Bind("tcp", "localhost", 4000), id="scgi-default"),
        pytest.param("ajp", {}, Bind("tcp", "localhost", 8009), id="ajp-default"),
        pytest.param("fcgi", {}, Bind("fd", port=0), id="fcgi-descriptor-0"),
        pytest.param(
            "fcgi", {"host": "::", "port": "9000"}, Bind("tcp", "::", 9000), id="fcgi-tcp"
        ),
        pytest.param(
            "fcgi",
            {"socket": "/run/x", "umask": "022"},
            Bind("unix", path="/run/x", mode=0o755),
            id="umask-is-octal",
        ),
        pytest.param(
            "fcgi_fork",
            {"socket": "/run/x", "umask": "0"},
            Bind("unix", path="/run/x", mode=0o777),
            id="umask-0",
        ),
    ],
)
def test_binds(runner, options, bind):
    assert RUNNERS[runner]().binds(spec(**options)) == (bind,)


@pytest.mark.parametrize(
    ("runner", "options", "named"),
    [
        pytest.param("ajp", {"socket": "/x"}, "socket", id="ajp-has-no-socket"),
        pytest.param("scgi", {"maxChildren": "3"}, "maxChildren", id="threads-have-no-children"),
        pytest.param("scgi_fork", {"maxThreads": "3"}, "maxThreads", id="forks-have-no-threads"),
        pytest.param("fcgi", {"scriptName": "/x"}, "scriptName", id="fcgi-has-no-script-name"),
        pytest.param("fcgi", {"host": "x"}, "host", id="host-without-port"),
        pytest.param("fcgi", {"socket": "/x", "port": "1"}, "port", id="socket-beside-port"),
        pytest.param("fcgi", {"umask": "22"}, "umask", id="umask-without-socket"),
        pytest.param("fcgi", {"socket": "/x", "umask": "9"}, "umask", id="umask-not-octal"),
        pytest.param("ajp", {"port": "80a"}, "port", id="port-no-number"),
        pytest.param("ajp", {"allowedServers": "web"}, "allowedServers", id="peer-no-address"),
        pytest.param("ajp", {"debug": "true"}, "debug", id="debug-shows-tracebacks-to-clients"),
        pytest.param(
            "scgi", {"minSpare": "5", "maxThreads": "4"}, "maxThreads", id="fewer-than-spare"
        ),
    ],
)
def test_refusals_name_the_option_and_its_line(runner, options, named):
    with pytest.raises(ConfigError) as caught:
        RUNNERS[runner]().binds(spec(**options))
    assert (caught.value.option, caught.value.line) == (named, 7)


def test_web_server_addresses_come_from_the_environment():
    environ = {"FCGI_WEB_SERVER_ADDRS": "10.0.0.1,10.0.0.2"}
    assert flup_options.evaluate({}, "fcgi", environ).allowed == ("10.0.0.1", "10.0.0.2")
    assert flup_options.evaluate({}, "fcgi", {}).allowed is None
    assert flup_options.evaluate({}, "scgi", {}).allowed == ("127.0.0.1",)
