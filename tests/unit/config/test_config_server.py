"""What serves: [server:NAME] with its uses, aliases, and the settings laid over it."""

from __future__ import annotations

import sys

import pytest

from pastebox.config.aliases import family, runner_of
from pastebox.config.bind import split_address
from pastebox.errors import ConfigError

APP = "[app:main]\nuse = egg:Demo-App\n"


@pytest.mark.parametrize(
    ("use", "runner"),
    [
        ("egg:waitress", "waitress"),
        ("egg:Waitress#main", "waitress"),
        ("EGG:waitress#main", "waitress"),
        ("egg:gunicorn#main", "gunicorn"),
        ("egg:Paste#http", "http"),
        ("egg:PasteScript#wsgiutils", "wsgiutils"),
        ("egg:pastescript#cherrypy", "cherrypy"),
        ("egg:Paste.Script#cherrypy", "egg:Paste.Script#cherrypy"),
        ("egg:PasteScript#flup_fcgi_thread", "flup_fcgi_thread"),
        ("egg:PasteScript#flup_ajp_fork", "flup_ajp_fork"),
        ("egg:PasteScript#cgi", "cgi"),
        ("egg:PasteScript#twisted", "twisted"),
        ("egg:Flup#scgi_fork", "flup_scgi_fork"),
        ("egg:flup#fcgi_thread", "flup_fcgi_thread"),
        ("egg:pyramid#wsgiref", "wsgiref"),
        ("egg:gearbox#cherrypy", "cherrypy"),
        ("egg:pastebox#granian", "granian"),
        ("egg:PasteBox", "waitress"),
        ("egg:pyruvate", "egg:pyruvate#main"),
        ("egg:Paste#nosuch", "egg:Paste#nosuch"),
        ("egg:waitress>=3#main", "waitress"),
        ("waitress", "waitress"),
        ("call:m:f", "call:m:f"),
    ],
)
def test_spellings_of_use(use, runner):
    assert runner_of(use) == runner


def test_runners_of_one_family_take_the_same_options():
    assert family("flup_fcgi_fork") == family("flup_fcgi_thread") != family("flup_scgi_thread")


def test_options_are_the_sections_own_with_their_places(mount):
    path = mount.write(
        f"[DEFAULT]\nthreads = 9\n{APP}[server:main]\nuse = egg:waitress#main\nport = %(ENV_P)s\n"
        "threads = 4\nset x = 1\nget workers = x\n"
    )
    mount.environ["P"] = "8081"
    spec = mount.server()
    assert (spec.runner, spec.use, spec.section) == ("waitress", "egg:waitress#main", "server:main")
    assert spec.options == {"port": "8081", "workers": "1"}
    assert spec.global_conf["x"] == "1"
    assert spec.global_conf["threads"] == "9"
    assert (spec.origins["port"].file, spec.origins["port"].line) == (path, 7)
    assert spec.origins["use"].line == 6


def test_nothing_is_imported_for_a_server(mount):
    mount.write(f"{APP}[server:main]\nuse = egg:Demo-App#main\n")
    assert mount.server().runner == "egg:Demo-App#main"
    assert "demo_wsgi" not in sys.modules


def test_use_is_followed_through_sections_and_files_and_the_nearer_option_wins(mount):
    mount.write(
        f"{APP}[server:main]\nuse = base\na = 1\n[server:base]\nuse = config:s.ini#x\nb = 2"
    )
    mount.write("[server:x]\nuse = egg:waitress\na = 0\nb = 0\nhost = %(here)s\n", "s.ini")
    spec = mount.server()
    assert spec.options == {"a": "1", "b": "2", "host": str(mount.etc)}
    assert spec.origins["host"].file == str(mount.etc / "s.ini")
    assert spec.global_conf["__file__"] == mount.ini


def test_fragment_chooses_its_own_server_or_main(mount):
    mount.write(
        "[app:one]\nuse = egg:Demo-App\n[app:two]\nuse = egg:Demo-App\n"
        "[server:main]\nuse = egg:waitress\n[server:two]\nuse = egg:gunicorn\n"
    )
    assert mount.server("app.ini#two").section == "server:two"
    spec = mount.server("app.ini#one")
    assert spec.section == "server:main"
    assert spec.notes == ("there is no [server:one], [server:main] serves",)


@pytest.mark.parametrize("spec", ["app.ini", "egg:Demo-App"])
def test_without_a_server_section_waitress_serves(mount, spec):
    mount.write(APP)
    found = mount.server(spec, port="99")
    assert (found.runner, dict(found.options)) == ("waitress", {"port": "99"})
    assert "no [server:main]" in found.notes[0]


def test_object_named_directly_keeps_its_protocol(mount):
    mount.write(f"{APP}[server:main]\npaste.server_runner = m:serve\nport = 1\n")
    spec = mount.server()
    assert (spec.runner, spec.protocol) == ("call:m:serve", "paste.server_runner")
    assert spec.options == {"port": "1"}
    assert spec.origins["use"].line == 4


@pytest.mark.parametrize(
    ("options", "settings", "expected"),
    [
        ("port = 1", {"port": "2"}, {"port": "2"}),
        ("", {"host": "::1", "port": "2"}, {"host": "::1", "port": "2"}),
        ("listen = 127.0.0.1:1 [::1]:1", {"port": "2"}, {"listen": "127.0.0.1:2"}),
        ("listen = *:1", {"host": "::"}, {"listen": "[::]:1"}),
        ("bind = 0.0.0.0:1", {"host": "h", "port": "2"}, {"bind": "h:2"}),
        ("host = 127.0.0.1:1", {"port": "2"}, {"host": "127.0.0.1", "port": "2"}),
        ("bind = unix:/s", {"port": "2"}, {"bind": "unix:/s"}),
        ("unix_socket = /s", {"port": "2"}, {"unix_socket": "/s"}),
    ],
)
def test_host_and_port_settings_replace_tcp_addresses_only(mount, options, settings, expected):
    mount.write(f"{APP}[server:main]\nuse = egg:waitress\n{options}\n")
    spec = mount.server(**settings)
    assert dict(spec.options) == expected
    assert ("socket" in str(spec.notes) or "bind" in str(spec.notes)) == ("/s" in options)


def test_an_address_that_is_replaced_need_not_expand(mount):
    """Kinto's INI has ``port = %(http_port)s``, for ``pserve kinto.ini http_port=8888``."""
    mount.write(f"{APP}[server:main]\nuse = egg:waitress\nport = %(http_port)s\nhost = ::1\n")
    assert mount.server(port="2").options == {"host": "::1", "port": "2"}
    with pytest.raises(ConfigError, match="http_port"):
        mount.server(host="::")


def test_setting_server_keeps_options_of_the_same_family(mount):
    mount.write(f"{APP}[server:main]\nuse = egg:Flup#fcgi_fork\nsocket = /s\n")
    spec = mount.server(server="flup_fcgi_thread")
    assert (spec.runner, spec.options, spec.notes) == ("flup_fcgi_thread", {"socket": "/s"}, ())


def test_setting_server_leaves_only_the_address_of_another_family_and_says_so(mount):
    mount.write(
        f"{APP}[server:main]\nuse = egg:gunicorn\nbind = 127.0.0.1:99\nworkers = 4\nproc_name = x\n"
    )
    spec = mount.server(server="egg:waitress#main")
    assert spec.runner == "waitress"
    assert spec.options == {"host": "127.0.0.1", "port": "99"}
    assert spec.notes == (
        "options of gunicorn are left out, waitress serves: bind, proc_name, workers",
    )
    assert spec.origins["use"].text == "argument --server"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        pytest.param("x = 1", 4, "names no server", id="no use"),
        pytest.param("use = nosuch", 4, "no section [server:nosuch]", id="section"),
        pytest.param("use = server:x", 4, "use = x", id="prefix"),
        pytest.param("use = foo:x", 4, 'the scheme "foo:"', id="scheme"),
        pytest.param("use = main", 4, "refers to itself", id="itself"),
        pytest.param("use = config:nosuch.ini", 4, "no file", id="missing file"),
        pytest.param("use = config:app.ini", 4, "refers to itself", id="circle of files"),
        pytest.param(
            "use = egg:waitress\nport = %(nosuch)s",
            5,
            "%(nosuch)s, which nothing defines",
            id="name",
        ),
        pytest.param("use = egg:waitress\nport = 5%", 5, "stands alone", id="percent"),
        pytest.param("use = egg:waitress\nget port = http", 5, "name of a default", id="get"),
    ],
)
def test_faults_of_a_server_section_have_their_place(mount, text, line, words):
    path = mount.write(f"{APP}[server:main]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        mount.server()
    error = caught.value
    assert (error.file, error.section, error.line) == (path, "server:main", line)
    assert words in error.render()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("h:1", ("h", "1")),
        ("[::1]:1", ("::1", "1")),
        (":1", ("", "1")),
        ("h", ("h", "")),
        ("[::1]", ("::1", "")),
        ("::1", ("::1", "")),
    ],
)
def test_addresses_are_split_at_the_port(text, parts):
    assert split_address(text) == parts


@pytest.mark.parametrize(
    ("use", "more", "options"),
    [
        pytest.param(
            "waitress", "listen = *:80\nthreads = 4", {"unix_socket": "/s", "threads": "4"}, id="w"
        ),
        pytest.param("gunicorn", "bind = 0.0.0.0:80", {"bind": "unix:/s"}, id="g"),
        pytest.param("flup#fcgi_thread", "host = h\nport = 1", {"socket": "/s"}, id="fcgi"),
        pytest.param("flup#scgi_fork", "umask = 0\nsocket = /old", {"socket": "/s"}, id="scgi"),
    ],
)
def test_a_host_can_be_a_socket_of_any_server_that_has_them(mount, use, more, options):
    mount.write(f"{APP}[server:main]\nuse = egg:{use}\n{more}\n")
    spec = mount.server(host="unix:/s", port="8080")
    assert spec.options == options
    assert spec.origins[next(iter(options))].text.endswith("--host")


@pytest.mark.parametrize(
    ("use", "host", "words"),
    [
        pytest.param("pyramid#wsgiref", "unix:/s", "as wsgiref has no Unix socket", id="server"),
        pytest.param("waitress", "unix:s", "an absolute path after unix:", id="relative"),
    ],
)
def test_a_socket_that_cannot_be_is_refused(mount, use, host, words):
    mount.write(f"{APP}[server:main]\nuse = egg:{use}\n")
    with pytest.raises(ConfigError, match=words):
        mount.server(host=host)
