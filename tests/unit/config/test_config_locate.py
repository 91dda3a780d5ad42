"""Which INI is served, and what is said when that cannot be decided."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pastebox.config.locate import locate, parse_spec, parse_words
from pastebox.config.model import ConfigSpec
from pastebox.errors import ConfigError, NoPermissionError, UsageError

INI = "[app:main]\nuse = egg:Demo-App\n"


def find(mount, argument=None, **settings):
    return locate(
        argument,
        mount.settings(**settings),
        environ=mount.environ,
        cwd=str(mount.etc),
        etc_dir=str(mount.etc),
    )


def test_argument_wins_over_the_setting(mount):
    mount.write(INI, "a.ini")
    mount.write(INI, "b.ini")
    assert find(mount, "a.ini", ini="b.ini").spec.path == str(mount.etc / "a.ini")


def test_setting_wins_over_the_directory(mount):
    mount.write(INI, "a.ini")
    mount.write(INI, "b.ini")
    mount.environ["PASTEBOX_INI"] = "b.ini"
    spec = find(mount).spec
    assert (spec.path, spec.origin) == (str(mount.etc / "b.ini"), "environment PASTEBOX_INI")


def test_only_ini_of_the_directory_is_taken(mount):
    mount.write(INI, "wiki.ini")
    mount.write(INI, "conf.d/overlay.ini")
    mount.write("hello", "notes.txt")
    assert find(mount).spec.path == str(mount.etc / "wiki.ini")


def test_several_inis_are_listed_and_none_is_taken(mount):
    mount.write(INI, "b.ini")
    mount.write(INI, "a.ini")
    with pytest.raises(ConfigError, match=r"2 INI files: a\.ini, b\.ini, expected one") as caught:
        find(mount)
    assert "PASTEBOX_INI=" in caught.value.hint


def test_nothing_found_lists_what_was_looked_at(mount):
    located = find(mount)
    assert located.spec is None
    assert located.looked_at == (
        "argument: none",
        "PASTEBOX_INI: not set",
        f"{mount.etc}/*.ini",
    )


def test_named_ini_that_is_missing_is_refused(mount):
    with pytest.raises(ConfigError) as caught:
        find(mount, "nosuch.ini")
    assert caught.value.file == str(mount.etc / "nosuch.ini")
    assert (caught.value.found, caught.value.expected) == ("no file", "an INI file")
    assert "-v" in caught.value.hint


def test_dangling_link_says_where_it_points(mount):
    (mount.etc / "app.ini").symlink_to("/nowhere/app.ini")
    with pytest.raises(ConfigError, match=r"a symbolic link to /nowhere/app\.ini"):
        find(mount)


@pytest.mark.parametrize("argument", ["app.ini", None], ids=["named", "found"])
def test_directory_instead_of_a_file_names_the_docker_mistake(mount, argument):
    (mount.etc / "app.ini").mkdir()
    with pytest.raises(ConfigError, match="found a directory, expected an INI file") as caught:
        find(mount, argument)
    assert "docker makes an empty directory" in caught.value.hint


def test_pipe_is_refused_without_waiting_for_it(mount):
    os.mkfifo(mount.etc / "app.ini")
    with pytest.raises(ConfigError, match="found a pipe"):
        find(mount)


@pytest.mark.usefixtures("as_nobody")
def test_unreadable_ini_says_who_reads_and_who_owns(tmp_path: Path):
    path = tmp_path / "app.ini"
    if os.geteuid() == 65534:
        os.seteuid(0)
        path.write_text(INI)
        path.chmod(0o600)
        for folder in (tmp_path, *list(tmp_path.parents)[:2]):
            folder.chmod(0o711)
        os.seteuid(65534)
    else:
        path.write_text(INI)
        path.chmod(0)
    from pastebox.config.text import read_text

    with pytest.raises(NoPermissionError, match="may not be read") as caught:
        read_text(str(path))
    assert "fsGroup" in caught.value.hint or "chmod" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("app.ini", ("config", "/etc/x/app.ini", "main"), id="path"),
        pytest.param("app.ini#blog", ("config", "/etc/x/app.ini", "blog"), id="section"),
        pytest.param("config:app.ini#blog", ("config", "/etc/x/app.ini", "blog"), id="config"),
        pytest.param("CONFIG:/a/b%20c.ini", ("config", "/a/b c.ini", "main"), id="escaped"),
        pytest.param("/a/b%20c.ini", ("config", "/a/b%20c.ini", "main"), id="path as it is"),
        pytest.param("egg:Demo-App#blog", ("egg", "Demo-App", "blog"), id="egg"),
        pytest.param("egg:Demo-App", ("egg", "Demo-App", "main"), id="egg main"),
    ],
)
def test_spec_spellings(text, expected):
    assert parse_spec(text, "argument", "/etc/x") == ConfigSpec(*expected, "argument")


def test_number_sign_in_the_name_of_a_file_that_exists_is_no_section(mount):
    mount.write(INI, "a#b.ini")
    spec = parse_spec("a#b.ini", "argument", str(mount.etc))
    assert (spec.path, spec.name) == (str(mount.etc / "a#b.ini"), "main")


def test_unknown_scheme_is_refused():
    with pytest.raises(ConfigError, match='found "http:"') as caught:
        parse_spec("http://example.org/app.ini", "environment PASTEBOX_INI", "/")
    assert "environment PASTEBOX_INI" in str(caught.value)


@pytest.mark.parametrize("text", ["", "#main", "egg:", "config:", "a\0b.ini"])
def test_spec_that_names_nothing_is_refused(text):
    with pytest.raises(ConfigError, match="names no file"):
        parse_spec(text, "argument", "/")


def test_words_are_read_with_everything_after_the_first_equals_sign():
    assert parse_words(["a=1", "url=x=y%", "empty="]) == {"a": "1", "url": "x=y%", "empty": ""}


@pytest.mark.parametrize("word", ["novalue", "=x", "here=/x", "__file__=/x"])
def test_words_that_cannot_be_variables_are_refused(word):
    with pytest.raises(UsageError):
        parse_words([word])
