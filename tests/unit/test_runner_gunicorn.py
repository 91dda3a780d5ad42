"""The options of gunicorn, read by gunicorn, refused with the file and the line."""

import pytest

pytest.importorskip("gunicorn", reason="needs gunicorn: the extra is not installed")

from pastebox.config.model import Bind, Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners.gunicorn import GunicornRunner
from pastebox.runners.gunicorn_options import REFUSED, check_options


def spec(**options):
    origins = {name: Origin(f"app.ini:{n}", "app.ini", n) for n, name in enumerate(options, 5)}
    return ServerSpec(
        "gunicorn", "egg:gunicorn#main", "server:main", "app.ini", options, {}, origins
    )


BINDS = [
    pytest.param({}, (Bind("tcp", "127.0.0.1", 8000),), id="gunicorn's default"),
    pytest.param({"host": "0.0.0.0"}, (Bind("tcp", "0.0.0.0", 8000),), id="host"),
    pytest.param({"host": "::1", "port": "0"}, (Bind("tcp", "::1", 0),), id="host and port"),
    pytest.param({"host": "127.0.0.1:81"}, (Bind("tcp", "127.0.0.1", 81),), id="host with port"),
    pytest.param({"bind": ":80"}, (Bind("tcp", "127.0.0.1", 80),), id="bind a port"),
    pytest.param({"bind": "0.0.0.0"}, (Bind("tcp", "0.0.0.0", 8000),), id="bind a host"),
    pytest.param(
        {"bind": "[::1]:80, 127.0.0.1:81"},
        (Bind("tcp", "::1", 80), Bind("tcp", "127.0.0.1", 81)),
        id="bind two",
    ),
    pytest.param(
        {"bind": "unix:/run/a.sock", "umask": "0o117"},
        (Bind("unix", path="/run/a.sock", mode=0o660),),
        id="unix with its umask",
    ),
    pytest.param({"bind": "fd://3"}, (Bind("fd", port=3),), id="descriptor"),
]


@pytest.mark.parametrize(("options", "expected"), BINDS)
def test_addresses(options, expected):
    assert GunicornRunner().binds(spec(**options)) == expected


GOOD = [
    pytest.param("worker_class", "gevent", "gevent", id="class"),
    pytest.param("threads", "4", 4, id="number"),
    pytest.param("preload_app", "true", True, id="flag"),
    pytest.param("forwarded_allow_ips", "10.0.0.0/8,::1", ["10.0.0.0/8", "::1"], id="addresses"),
    pytest.param("raw_env", "A=1\nB=2", ["A=1", "B=2"], id="lines"),
    pytest.param("umask", "0o022", 0o022, id="octal"),
    pytest.param("timeout", "0", 0, id="no timeout"),
]


@pytest.mark.parametrize(("name", "text", "value"), GOOD)
def test_settings_are_read_by_gunicorn(name, text, value):
    assert check_options(spec(**{name: text})).settings[name].get() == value


BAD = [
    pytest.param("threads", "four", "gunicorn refuses it", id="no number"),
    pytest.param("timeout", "-1", "must be positive", id="negative"),
    pytest.param("preload_app", "maybe", "Invalid boolean", id="no flag"),
    pytest.param("forwarded_allow_ips", "nobody", "nobody", id="no address"),
    pytest.param("header_map", "x", "gunicorn refuses it", id="no choice"),
    pytest.param("chdir", "/no/such/place", "can't chdir", id="no directory"),
    pytest.param("port", "70000", "a number from 0 to 65535", id="port"),
    pytest.param("bind", "a:b", "host:port, unix:path, fd://n", id="bind"),
    pytest.param("post_fork", "not a name", "module.function", id="hook"),
    pytest.param("protocol", "uwsgi", "expected http", id="protocol"),
    pytest.param("worker_class", "asgi", "ASGI applications only", id="asgi"),
    pytest.param("certfile", "/no/such.pem", "cannot be read", id="certificate"),
    pytest.param("keyfile", "/no/such.key", "of no use without a certfile", id="key alone"),
]


@pytest.mark.parametrize(("name", "text", "told"), BAD)
def test_bad_value_names_file_and_line(name, text, told):
    with pytest.raises(ConfigError) as caught:
        GunicornRunner().binds(spec(backlog="9", **{name: text}))
    assert told in str(caught.value)
    assert str(caught.value).startswith("app.ini:6 [server:main] " + name)


def test_unknown_setting_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        check_options(spec(worker_clas="sync"))
    assert caught.value.hint == "did you mean worker_class?"


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_settings_of_the_master_are_refused_by_name(name):
    with pytest.raises(ConfigError) as caught:
        check_options(spec(**{name: "x"}))
    assert (caught.value.option, caught.value.hint) == (name, REFUSED[name])


def test_key_that_does_not_fit(tmp_path):
    (tmp_path / "a.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="do not fit"):
        check_options(spec(certfile=str(tmp_path / "a.pem")))


def test_hook_is_not_imported_by_the_master():
    config = check_options(spec(post_fork="nosuchmodule.hook"))
    assert config.post_fork.__name__ == "post_fork"


def test_web_concurrency_of_ours_does_not_break_the_import(monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "auto")
    check_options(spec(workers="auto"))


def test_arguments_of_the_variable_are_stronger_than_the_ini():
    said = {"GUNICORN_CMD_ARGS": "--bind=0.0.0.0:9000 --workers 3 --timeout=7"}
    found = GunicornRunner().with_environ(spec(host="127.0.0.1", port="80", timeout="5"), said)
    assert dict(found.options) == {"bind": "0.0.0.0:9000", "workers": "3", "timeout": "7"}
    assert found.origins["timeout"].text == "GUNICORN_CMD_ARGS --timeout"
    assert GunicornRunner().binds(found) == (Bind("tcp", host="0.0.0.0", port=9000),)


def test_address_of_our_own_settings_is_stronger_than_the_variable():
    ours = spec(port="80")._replace(origins={"port": Origin("PASTEBOX_PORT")})
    found = GunicornRunner().with_environ(ours, {"GUNICORN_CMD_ARGS": "--bind :9000"})
    assert dict(found.options) == {"port": "80"}


@pytest.mark.parametrize("words", ["--no-such 1", "app:app", "--workers 'x", "--version", "--help"])
def test_variable_that_gunicorn_refuses_is_named(words):
    with pytest.raises(ConfigError) as caught:
        GunicornRunner().with_environ(spec(), {"GUNICORN_CMD_ARGS": words})
    assert caught.value.option == "GUNICORN_CMD_ARGS"


def test_refused_setting_in_the_variable_is_named_with_it():
    found = GunicornRunner().with_environ(spec(), {"GUNICORN_CMD_ARGS": "--config=x.py"})
    with pytest.raises(ConfigError) as caught:
        GunicornRunner().binds(found)
    assert caught.value.option == "GUNICORN_CMD_ARGS --config"


def test_configuration_file_is_refused_unless_it_is_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text("workers = 3")
    with pytest.raises(ConfigError, match="is not read"):
        GunicornRunner().binds(spec())
    assert GunicornRunner().binds(spec(config=""))
