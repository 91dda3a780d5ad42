"""What an INI says once overlays, overrides, variables and secrets are laid over it."""

from __future__ import annotations

import configparser
import logging.config
import os

import pytest

from pastebox.errors import ConfigError, NoPermissionError, UsageError


def test_environment_reference_is_replaced_and_percent_signs_are_safe(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nurl = pg://u:%(ENV_PW)s@db/%%x\n")
    mount.environ["PW"] = "50%(here)s%%"
    assert mount.read().get("app:main", "url") == "pg://u:50%(here)s%%@db/%x"


def test_escaped_reference_stays_a_literal(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %%(ENV_NOT_SET)s %%%%(ENV_NOT_SET)s\n")
    assert mount.read().get("app:main", "x") == "%(ENV_NOT_SET)s %%(ENV_NOT_SET)s"


def test_secret_loses_one_trailing_newline_and_keeps_the_others(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nk = %(SECRET_db.key)s|\n")
    mount.secret("db.key", "line 1\nline %2\n\n")
    assert mount.read().get("app:main", "k") == "line 1\nline %2\n|"


def test_references_work_through_other_options_and_defaults(mount):
    mount.write("""
        [DEFAULT]
        dburl = pg://%(user)s:%(SECRET_pw)s@db
        user = %(ENV_DBUSER)s
        [app:main]
        use = egg:Demo-App
        sqlalchemy.url = %(dburl)s/wiki
        """)
    mount.environ["DBUSER"] = "w%ki"
    mount.secret("pw", "p%s\n")
    assert mount.read().get("app:main", "sqlalchemy.url") == "pg://w%ki:p%s@db/wiki"


def test_option_of_the_same_name_is_the_fallback_of_a_variable(mount):
    mount.write("[DEFAULT]\nENV_PORT = 8080\n[app:main]\nuse = egg:Demo-App\np = %(ENV_PORT)s\n")
    assert mount.read().get("app:main", "p") == "8080"
    mount.environ["PORT"] = "9"
    assert mount.read().get("app:main", "p") == "9"


def test_missing_names_are_reported_all_at_once_with_their_places(mount):
    mount.write("""
        [DEFAULT]
        a = %(ENV_A)s
        [app:main]
        use = config:other.ini#base
        filter-with = f
        b = %(SECRET_b)s
        [filter:f]
        use = egg:Demo-App
        c = %(ENV_C)s
        [server:main]
        use = egg:waitress
        port = %(ENV_PORT)s
        [loggers]
        keys = root
        [handler_x]
        args = (%(ENV_D)s,)
        [pastebox]
        workers = %(ENV_W)s
        """)
    mount.write("[app:base]\nuse = egg:Demo-App\ne = %(ENV_E)s\n", "other.ini")
    with pytest.raises(ConfigError, match="7 references have no value") as caught:
        mount.read()
    text = str(caught.value)
    for place in (
        "3 [DEFAULT] a",
        "7 [app:main] b",
        "10 [filter:f] c",
        "13 [server:main] port",
        "17 [handler_x] args",
        "19 [pastebox] workers",
        "other.ini:3 [app:base] e",
    ):
        assert place in text, text
    assert str(mount.secrets / "b") in text


def test_foreign_sections_may_refer_to_names_without_a_value(mount):
    mount.write("""
        [app:main]
        use = egg:Demo-App
        [app:other]
        use = egg:Demo-App
        x = %(ENV_NO)s
        [alembic]
        url = %(ENV_NO)s
        """)
    config = mount.read()
    with pytest.raises(ConfigError, match=r"\[alembic\] url: %\(ENV_NO\)s has no value"):
        config.get("alembic", "url")


def test_line_break_in_an_environment_value_is_refused_by_name(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %(ENV_KEY)s\n")
    mount.environ["KEY"] = "a\nb"
    with pytest.raises(ConfigError, match=r"app.ini:3 \[app:main\] x: .*KEY has a line break"):
        mount.read()


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", "a b", ""])
def test_secret_names_cannot_leave_the_directory(mount, name):
    mount.write(f"[app:main]\nuse = egg:Demo-App\nx = %(SECRET_{name})s\n")
    with pytest.raises(ConfigError, match="cannot name a secret"):
        mount.read()


def test_secret_that_is_not_text_is_refused(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %(SECRET_k)s\n")
    mount.secret("k", b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        mount.read()


def test_secret_that_may_not_be_read_ends_with_the_permission_status(mount, request):
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %(SECRET_k)s\n")
    mount.secret("k", "v")
    os.chmod(mount.secrets / "k", 0)
    for folder in (mount.root, *mount.root.parents, mount.etc, mount.secrets):
        if not os.stat(folder).st_mode & 0o001:  # those that pytest made are the owner's alone
            os.chmod(folder, 0o755)
    request.getfixturevalue("as_nobody")
    with pytest.raises(NoPermissionError, match="the secret may not be read") as caught:
        mount.read()
    assert caught.value.exit_code == 77


def test_names_that_no_file_refers_to_are_never_looked_at(mount):
    class Watched(dict):
        def get(self, name, default=None):
            asked.append(name)
            return super().get(name, default)

    asked: list[str] = []
    mount.write("[app:main]\nuse = egg:Demo-App\nx = %(ENV_A)s\n")
    from pastebox.config.read import read

    read(mount.source(), Watched(A="1", B="2"))
    assert set(asked) == {"A"}


def test_words_win_over_defaults_in_interpolation_and_global_conf(mount):
    mount.write("[DEFAULT]\nport = 1\n[app:main]\nuse = egg:Demo-App\nx = %(port)s\n")
    app = mount.load(words=["port=2%"])
    assert app.local_conf == {"x": "2%"}
    assert app.global_conf["port"] == "2%"


def test_words_never_delete_a_sections_own_option(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\nport = 1\nx = %(port)s %(y)s\n")
    app = mount.load(words=["port=2", "y=3"])
    assert app.local_conf == {"port": "1", "x": "1 3"}
    assert (app.global_conf["port"], app.global_conf["y"]) == ("2", "3")


def test_defaults_of_the_file_drop_a_sections_option_of_that_name(mount):
    mount.write("[DEFAULT]\ndebug = no\n[app:main]\nuse = egg:Demo-App\ndebug = yes\nx = %(debug)s")
    app = mount.load(words=["debug=maybe"])
    assert app.local_conf == {"x": "yes"}
    assert app.global_conf["debug"] == "maybe"


def test_overlays_replace_option_by_option_in_sorted_order(mount):
    mount.write("[DEFAULT]\nd = 0\n[app:main]\nuse = egg:Demo-App\na = 0\nb = 0\nc = 0\n")
    mount.write("[app:main]\nb = 2\n[DEFAULT]\nd = 2\n[app:new]\nx = 1\n", "conf.d/20.ini")
    mount.write("[app:main]\nb = 1\nc = %(here)s\n", "conf.d/10.ini")
    mount.write("[app:main]\nb = 9\n", "conf.d/30.ini.bak")
    config = mount.read()
    values = [config.get("app:main", name) for name in "abcd"]
    assert values == ["0", "2", str(mount.etc), "2"]
    assert config.origin("app:main", "b").file == str(mount.overlays / "20.ini")
    assert config.origin("app:main", "b").line == 2
    assert config.get("app:new", "x") == "1"


def test_overlay_error_names_the_overlay(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\n")
    path = mount.write("[app:main]\noops\n", "conf.d/10.ini")
    with pytest.raises(ConfigError) as caught:
        mount.read()
    assert (caught.value.file, caught.value.line) == (path, 2)


def test_environment_overrides_match_sections_and_options_as_they_are_spelled(mount):
    mount.write("""
        [DEFAULT]
        debug = no
        [app:main]
        use = egg:Demo-App
        sqlalchemy.url = sqlite://
        Session-Key = x
        [server:main]
        use = egg:waitress
        """)
    mount.environ |= {
        "PASTE__APP_MAIN__SQLALCHEMY__URL": "pg://50%(here)s",
        "PASTE__APP_MAIN__SESSION_KEY": "k",
        "PASTE__app_main__new__Option": "n",
        "PASTE__DEFAULT__DEBUG": "yes",
        "PASTE__SERVER_MAIN__PORT": "99",
    }
    config = mount.read()
    assert config.get("app:main", "sqlalchemy.url") == "pg://50%(here)s"
    assert config.get("app:main", "Session-Key") == "k"
    assert config.get("app:main", "new.option") == "n"
    assert config.get("app:main", "debug") == "yes"
    assert config.origin("server:main", "port").text == "environment PASTE__SERVER_MAIN__PORT"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("PASTE__APP_MIAN__X", "APP_MAIN for", id="unknown section"),
        pytest.param("PASTE__APP_TWO__X", "fits several sections", id="ambiguous section"),
        pytest.param(
            "PASTE__APP_MAIN__A_B", "fits several options: a.b, a-b", id="ambiguous option"
        ),
        pytest.param("PASTE__APP_MAIN", "does not name an option", id="no key"),
        pytest.param("PASTE____X", "does not name an option", id="no section"),
    ],
)
def test_environment_override_that_fits_nothing_is_refused(mount, name, text):
    mount.write("[app:main]\na.b = 1\na-b = 2\n[app:two]\nx = 1\n[app-two]\nx = 1\n")
    mount.environ[name] = "1"
    with pytest.raises(ConfigError) as caught:
        mount.read()
    assert text in str(caught.value)
    assert name in str(caught.value)


def test_dotted_option_wins_where_two_options_have_the_same_letters(mount):
    mount.write("[app:main]\na.b = 1\na-b = 2\n")
    mount.environ["PASTE__APP_MAIN__A__B"] = "3"
    config = mount.read()
    assert (config.get("app:main", "a.b"), config.get("app:main", "a-b")) == ("3", "2")


def test_set_lines_then_arguments_win_over_environment_overrides(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\na = 0\nb = 0\nc = 0\n")
    mount.environ |= {f"PASTE__APP_MAIN__{n}": "env" for n in "ABC"}
    lines = "# comment\n\napp:main|b = line\napp:main|c=line\nnew|x=1"
    config = mount.read(set=lines, sets=[("app:main", "c=arg"), ("new two", "y=2")])
    assert [config.get("app:main", name) for name in "abc"] == ["env", "line", "arg"]
    assert config.get("new", "x") == "1"
    assert config.get("new two", "y") == "2"
    assert config.origin("app:main", "b").text == "PASTEBOX_SET line 3"


@pytest.mark.parametrize("line", ["app:main", "app:main|x", "|x=1", "a]b|x=1", "s|=1", "s|[x=1"])
def test_set_line_that_is_no_override_is_refused(mount, line):
    mount.write("[app:main]\nuse = egg:Demo-App\n")
    with pytest.raises(ConfigError, match="PASTEBOX_SET: line 1 is not an override"):
        mount.read(set=line)


def test_set_argument_that_is_no_override_is_a_usage_error(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\n")
    with pytest.raises(UsageError, match="--set"):
        mount.read(sets=[("app:main", "novalue")])


def test_byte_order_mark_and_windows_line_ends_are_accepted(mount):
    (mount.etc / "app.ini").write_bytes(
        b"\xef\xbb\xbf[app:main]\r\nuse = egg:Demo-App\r\nx = 1\r\n"
    )
    assert mount.read().get("app:main", "x") == "1"


def test_inline_comments_belong_to_the_value_and_keys_keep_their_case(mount):
    mount.write("[app:main]\nKey = 1 ; note # more\nkey: 2\nlong = a\n  b\n# no\n  c\n")
    config = mount.read()
    assert config.get("app:main", "Key") == "1 ; note # more"
    assert config.get("app:main", "key") == "2"
    assert config.get("app:main", "long") == "a\nb\nc"


def test_logging_takes_the_parser_and_its_formats_are_raw(mount):
    mount.write("""
        [app:main]
        use = egg:Demo-App
        [loggers]
        keys = root
        [handlers]
        keys = h
        [formatters]
        keys = f
        [logger_root]
        level = %(ENV_LEVEL)s
        handlers = h
        [handler_h]
        class = FileHandler
        args = ('%(here)s/%(name)s.log',)
        formatter = f
        [formatter_f]
        format = %(ENV_TAG)s %(levelname)s %(message)s %%(ENV_X)s
        """)
    mount.environ |= {"LEVEL": "WARNING", "TAG": "%(name)s"}
    config = mount.read(words=["name=out"])
    assert config.has_loggers
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    try:
        logging.config.fileConfig(config.parser, disable_existing_loggers=False)
        logging.getLogger("demo").warning("hello")
        for handler in root.handlers:
            handler.close()
    finally:
        root.level, root.handlers = before[0], before[1]
    assert (mount.etc / "out.log").read_text() == "demo WARNING hello %(ENV_X)s\n"


def test_pastebox_section_says_where_each_setting_was_written(mount):
    path = mount.write("[DEFAULT]\nx = 1\n[app:main]\nuse = egg:Demo-App\n[pastebox]\nport = 99\n")
    given = mount.read().pastebox_section()
    assert list(given) == ["port"]
    assert (given["port"].text, given["port"].file, given["port"].line) == ("99", path, 6)


def test_mounted_file_is_never_written(mount):
    path = mount.write("[app:main]\nuse = egg:Demo-App\nx = %(ENV_A)s\n")
    mount.environ["A"] = "1"
    os.chmod(path, 0o444)
    before = (os.stat(path).st_mtime_ns, sorted(os.listdir(mount.etc)))
    mount.read(sets=[("app:main", "x=2")]).render()
    mount.load()
    assert (os.stat(path).st_mtime_ns, sorted(os.listdir(mount.etc))) == before


def test_unknown_section_is_still_a_configparser_error(mount):
    mount.write("[app:main]\nx = 1\n")
    with pytest.raises(configparser.NoSectionError):
        mount.read().get("nosuch", "x")


def test_egg_specification_needs_no_file(mount):
    config = mount.read("egg:Demo-App#blog")
    assert config.sections() == []
    assert mount.load("egg:Demo-App#blog", words=["a=1"]).global_conf == {"a": "1"}


def test_nested_references_that_grow_without_end_are_refused(mount):
    rows = "\n".join(f"a{n} = {f'%(a{n + 1})s' * 60}" for n in range(8))
    mount.write(f"[app:main]\nuse = egg:Demo-App\n{rows}\na8 = xxxxxxxxxx\n")
    with pytest.raises(ConfigError, match="grows without end"):
        mount.read().get("app:main", "a0")
