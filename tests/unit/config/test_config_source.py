"""Loading the application, finding its parts, and whose fault it is when that fails."""

from __future__ import annotations

import pytest
from paste.deploy import loadapp

from pastebox.config.source import load_server
from pastebox.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param("use = egg:Demo-App", "app", id="egg"),
        pytest.param("use = egg:demo_app#blog", "blog", id="egg normalised"),
        pytest.param("use = egg:Demo-App==1.2#blog", "blog", id="egg with version"),
        pytest.param("use = call:demo_wsgi:app", "app", id="call"),
        pytest.param("use = call:demo_wsgi:holder.nested", "nested", id="call dotted"),
        pytest.param("paste.app_factory = demo_wsgi:app", "app", id="explicit"),
        pytest.param("use = config:other.ini#two", "blog", id="config"),
    ],
)
def test_every_spelling_of_an_application_loads(mount, text, kind):
    mount.write("[app:two]\nuse = egg:Demo-App#blog\n", "other.ini")
    mount.write(f"[app:main]\n{text}\nx = 1\n")
    app = mount.load()
    assert (app.kind, app.local_conf) == (kind, {"x": "1"})


def test_bare_app_section_is_main(mount):
    mount.write("[app]\nuse = egg:Demo-App\n")
    assert mount.load().kind == "app"


def test_filters_pipelines_and_composites_wrap_as_paste_deploy_does(mount):
    mount.write("""
        [composite:main]
        use = egg:Demo-App#urlmap
        /a = pipe
        /b = front
        [pipeline:pipe]
        pipeline = f egg:Demo-App#wrap base
        [filter:f]
        use = egg:Demo-App
        level = 1
        [app:base]
        use = egg:Demo-App
        filter-with = f
        [filter-app:front]
        use = egg:Demo-App#wrap
        next = base
        """)
    app = mount.load()
    first, second = app.inner
    assert [first.kind, first.inner[0].kind, first.inner[0].inner[0].kind] == [
        "filter",
        "filter_app",
        "filter",
    ]
    assert first.inner[0].inner[0].inner[0].kind == "app"
    assert (second.kind, second.inner[0].kind) == ("filter_app", "filter")


def test_set_and_get_and_the_includers_file_name(mount):
    mount.write("""
        [DEFAULT]
        name = Wiki
        [app:main]
        use = config:sub/other.ini#base
        set name = Other
        get title = name
        """)
    mount.write("[app:base]\nuse = egg:Demo-App\nplace = %(here)s %(name)s\n", "sub/other.ini")
    app = mount.load()
    assert app.local_conf == {"place": f"{mount.etc}/sub Other", "title": "Other"}
    assert app.global_conf["__file__"] == mount.ini
    assert app.global_conf["here"] == str(mount.etc)


def test_percent_in_a_default_survives_an_include(mount):
    mount.write("[DEFAULT]\npw = %(ENV_PW)s\n[app:main]\nuse = config:other.ini\n")
    mount.write("[app:main]\nuse = egg:Demo-App\nurl = x%(pw)s\n", "other.ini")
    mount.environ["PW"] = "5%(0)%"
    assert mount.load().local_conf == {"url": "x5%(0)%"}


def test_words_do_not_delete_options_of_an_included_file(mount):
    mount.write("[app:main]\nuse = config:other.ini\n")
    mount.write("[app:main]\nuse = egg:Demo-App\nport = 1\nx = %(port)s %(y)s\n", "other.ini")
    app = mount.load(words=["port=2", "y=3"])
    assert app.local_conf == {"port": "1", "x": "1 3"}


def test_application_that_loads_again_gets_the_same_values(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %(ENV_A)s\ny = 1\n")
    mount.write("[app:main]\ny = 2\n", "conf.d/1.ini")
    mount.environ["A"] = "a%"
    mount.load()
    app = loadapp(f"config:{mount.ini}", global_conf={"z": "1"})
    assert app.local_conf == {"x": "a%", "y": "2"}
    assert app.global_conf["z"] == "1"


@pytest.mark.parametrize(
    ("text", "line", "option", "words"),
    [
        pytest.param("use = egg:Demo-Ap", 2, "use", "did you mean Demo-App", id="distribution"),
        pytest.param("use = egg:PasteScript#test", 2, "use", "never imports it", id="PasteScript"),
        pytest.param("use = egg:Demo-App#mian", 2, "use", "Demo-App has blog", id="entry point"),
        pytest.param("use = egg:Demo-App#wrap", 2, "use", "wrap as paste.filter", id="wrong kind"),
        pytest.param("use = egg:Demo-App#both", 2, "use", "ambiguous", id="ambiguous egg"),
        pytest.param("use = egg:Demo-App#gone", 2, "use", "no module demo_wsgi_gone", id="module"),
        pytest.param("use = egg:Demo-App#missing", 2, "use", "has no nothing", id="attribute"),
        pytest.param("use = call:demo_wsgi:ap", 2, "use", "did you mean app", id="call attribute"),
        pytest.param("use = call:demo_wsgi", 2, "use", "call:module:object", id="call form"),
        pytest.param(
            "paste.app_factory = not a path",
            2,
            "paste.app_factory",
            "module:object",
            id="explicit form",
        ),
        pytest.param("use = foo:bar", 2, "use", 'scheme "foo:"', id="scheme"),
        pytest.param("use = app:other", 2, "use", "write other", id="section with its prefix"),
        pytest.param("use = nosuch", 2, "use", "no section [app:nosuch]", id="section"),
        pytest.param("use = twice", 2, "use", "ambiguous", id="ambiguous section"),
        pytest.param("use = config:nosuch.ini", 2, "use", "no file", id="missing include"),
        pytest.param("use = config:app.ini", 2, "use", "refers to itself", id="includes itself"),
        pytest.param("use = loop", None, "use", "refers to itself", id="circle"),
        pytest.param("x = 1", None, "use", "nothing to load", id="no use"),
        pytest.param(
            "paste.app_factory = a:b\npaste.composite_factory = a:b", 3, None, "several", id="two"
        ),
        pytest.param(
            "use = egg:Demo-App\nfilter-with = nosuch",
            3,
            "filter-with",
            "[filter:nosuch]",
            id="filter",
        ),
        pytest.param(
            "use = egg:Demo-App\nrequire = Nosuch", 3, "require", "not installed", id="require"
        ),
        pytest.param("use = egg:Demo-App\nget x = y", 3, "get x", "name of a default", id="get"),
        pytest.param("use = egg:Demo-App\nx = 5%", 3, "x", "stands alone", id="lone percent"),
        pytest.param(
            "use = egg:Demo-App\nx = %(prot)s\nport = 1",
            3,
            "x",
            "did you mean %(port)s",
            id="undefined",
        ),
        pytest.param(
            "use = egg:Demo-App\nx = %(y)s\ny = %(x)s",
            None,
            None,
            "does not refer to itself",
            id="itself",
        ),
        pytest.param(
            "use = egg:Demo-App#strict\ncolour = red", None, None, "colour", id="signature"
        ),
    ],
)
def test_what_is_not_there_is_named_with_its_place(mount, text, line, option, words):
    mount.write(
        f"[app:main]\n{text}\n[app:other]\nuse = egg:Demo-App\n"
        "[app:twice]\nx = 1\n[composite:twice]\nx = 1\n[app:loop]\nuse = main\n"
    )
    mount.write("[app:main]\noops\n", "bad.ini")
    with pytest.raises(ConfigError) as caught:
        mount.load()
    error = caught.value
    assert error.exit_code == 78
    assert error.file == mount.ini
    assert error.section
    if line:
        assert error.line == line
    if option:
        assert error.option == option
    assert words in error.render()


def test_fault_of_an_included_file_names_that_file(mount):
    mount.write("[app:main]\nuse = config:bad.ini\n")
    path = mount.write("[app:main]\noops\n", "bad.ini")
    with pytest.raises(ConfigError, match="neither") as caught:
        mount.load()
    assert (caught.value.file, caught.value.line) == (path, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[pipeline:main]\nx = 1", "has no pipeline", id="missing"),
        pytest.param("[pipeline:main]\npipeline =", "has no pipeline", id="empty"),
        pytest.param("[pipeline:main]\npipeline = a\nx = 1", "no options of its own", id="extra"),
        pytest.param("[pipeline:main]\npipeline = main", "refers to itself", id="itself"),
        pytest.param(
            "[pipeline:main]\npipeline = nosuch egg:Demo-App", "[filter:nosuch]", id="filter"
        ),
        pytest.param("[filter-app:main]\nuse = egg:Demo-App", "behind the filter", id="no next"),
        pytest.param(
            "[composite:main]\nuse = egg:Demo-App#urlmap\n/ = main",
            "refers to itself",
            id="composite",
        ),
        pytest.param(
            "[composite:main]\nuse = egg:Demo-App#urlmap\n/ = nosuch",
            "[app:nosuch]",
            id="composite name",
        ),
        pytest.param("[server:main]\nx = 1", "no section [app:main]", id="no application"),
    ],
)
def test_faults_of_pipelines_and_composites(mount, text, words):
    mount.write(text + "\n")
    with pytest.raises(ConfigError) as caught:
        mount.load()
    assert words in str(caught.value)
    assert caught.value.file == mount.ini


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("failing", RuntimeError, id="in the factory"),
        pytest.param("broken", RuntimeError, id="at import"),
        pytest.param("deep", ModuleNotFoundError, id="an import of its own"),
        pytest.param("confused", TypeError, id="a wrong call of its own"),
    ],
)
def test_what_the_application_raises_comes_out_as_it_is(mount, name, kind):
    mount.write(f"[app:main]\nuse = egg:Demo-App#{name}\n")
    with pytest.raises(kind) as caught:
        mount.load()
    assert type(caught.value) is kind


def test_parts_are_found_through_everything_each_once(mount):
    mount.write("""
        [composite:main]
        use = egg:Demo-App#urlmap
        / = pipe
        /blog = blog
        /again = blog
        [pipeline:pipe]
        pipeline = f base
        [filter:f]
        use = egg:Demo-App
        [app:base]
        use = egg:Demo-App
        filter-with = f
        [app:blog]
        use = config:other.ini#inner
        title = Blog
        """)
    mount.write("[app:inner]\nuse = egg:Demo-App#blog\nx = 1\n", "other.ini")
    parts = mount.parts()
    found = [(part.section, part.distribution, part.entry_point) for part in parts]
    assert found == [
        ("app:base", "Demo-App", "main"),
        ("app:blog", "Demo-App", "blog"),
        ("composite:main", "Demo-App", "urlmap"),
    ]
    assert parts[1].local_conf == {"x": "1", "title": "Blog"}
    assert parts[1].filename == mount.ini
    assert parts[1].factory == "demo_wsgi:blog"


@pytest.mark.parametrize("text", ["paste.app_factory = demo_wsgi:app", "use = call:demo_wsgi:app"])
def test_part_of_an_object_named_directly_has_its_distribution(mount, text):
    mount.write(f"[app:main]\n{text}\n")
    (part,) = mount.parts()
    assert (part.distribution, part.entry_point, part.factory) == (
        "Demo-App",
        "",
        "demo_wsgi:app",
    )


def test_part_of_an_egg_specification(mount):
    (part,) = mount.parts("egg:Demo-App#blog")
    assert (part.distribution, part.entry_point, part.section) == ("Demo-App", "blog", "")


def test_parts_of_composites_in_a_circle_are_still_each_found_once(mount):
    mount.write(
        "[composite:main]\nuse = egg:Demo-App#urlmap\n/a = b\n/c = app\n"
        "[composite:b]\nuse = egg:Demo-App#urlmap\n/ = main\n[app:app]\nuse = egg:Demo-App\n"
    )
    found = {part.section for part in mount.parts()}
    assert found == {"composite:main", "composite:b", "app:app"}


def test_listing_parts_calls_no_factory(mount):
    mount.write("[app:main]\nuse = egg:Demo-App#failing\n")
    assert [part.entry_point for part in mount.parts()] == ["failing"]


def test_server_of_a_third_party_is_imported_by_either_spelling():
    assert load_server("egg:Demo-App#main")[1] == "paste.server_runner"
    assert load_server("call:demo_wsgi:serve")[0].__name__ == "serve"
    with pytest.raises(ConfigError, match="no such entry point"):
        load_server("egg:Demo-App#wrap")
