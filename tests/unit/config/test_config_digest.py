"""The fingerprint by which first boot sees that an application is configured differently."""

from __future__ import annotations

import subprocess
import sys

import pytest

BASE = """
[DEFAULT]
a = 1
[app:main]
use = config:other.ini#base
filter-with = f
url = %(ENV_URL)s %(SECRET_pw)s
[filter:f]
use = egg:Demo-App
[app:unused]
x = 1
[server:main]
use = egg:waitress
[logger_x]
level = INFO
"""
OTHER = "[app:base]\nuse = egg:Demo-App\ny = 1\n[app:else]\nz = 1\n"


@pytest.fixture
def digest(mount):
    mount.environ["URL"] = "sqlite://"
    mount.secret("pw", "one")

    def digest(text=BASE, other=OTHER, **arguments):
        mount.write(text)
        mount.write(other, "other.ini")
        return mount.read_leniently(**arguments).digest("main")

    return digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("url = ", "uri = ", id="option"),
        pytest.param("a = 1", "a = 2", id="default"),
        pytest.param("[filter:f]\n", "[filter:f]\nlevel = 1\n", id="filter"),
    ],
)
def test_change_of_what_the_application_depends_on_changes_it(digest, old, new):
    assert digest() != digest(BASE.replace(old, new))


def test_change_in_the_used_section_of_an_included_file_changes_it(digest):
    assert digest() != digest(other=OTHER.replace("y = 1", "y = 2"))
    assert digest() == digest(other=OTHER.replace("z = 1", "z = 2"))


def test_environment_counts_by_value_and_secrets_by_name(mount, digest):
    before = digest()
    mount.secret("pw", "two")
    assert digest() == before
    mount.environ["URL"] = "pg://"
    assert digest() != before


def test_words_and_overrides_count(digest):
    assert digest() != digest(words=["x=1"])
    assert digest() != digest(sets=[("app:main", "x=1")])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("egg:waitress", "egg:gunicorn", id="server"),
        pytest.param("INFO", "DEBUG", id="logging"),
        pytest.param("[app:unused]\nx = 1", "[app:unused]\nx = 2", id="another application"),
        pytest.param("[app:main]", "# comment\n\n[app:main]", id="comment"),
        pytest.param(
            "use = config:other.ini#base\nfilter-with = f",
            "filter-with = f\nuse = config:other.ini#base",
            id="order",
        ),
    ],
)
def test_change_of_anything_else_does_not(digest, old, new):
    assert old in BASE
    assert digest() == digest(BASE.replace(old, new))


def test_directory_counts_only_where_a_value_names_it(mount, digest, tmp_path):
    here = digest()
    moved = BASE.replace("a = 1", "a = %(here)s/db")
    there = digest(moved)
    mount.etc = tmp_path / "elsewhere"
    assert digest() == here
    assert digest(moved) != there


def test_it_is_the_same_in_another_process(mount, digest):
    code = (
        "import sys; from pastebox.config.read import read_leniently;"
        "from pastebox.config.model import *;"
        f"spec = ConfigSpec('config', {mount.ini!r}, 'main', 'x');"
        f"source = AppSource(spec, {{}}, (), '/nowhere', {str(mount.secrets)!r});"
        "print(read_leniently(source, {'URL': 'sqlite://'}).digest('main'))"
    )
    expected = digest()
    for seed in ("1", "2"):
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert answer.stdout.strip() == expected
