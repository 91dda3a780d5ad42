"""The effective INI as text: readable by a parser, and without a secret."""

from __future__ import annotations

import configparser

import pytest

from pastebox.config.render import redact, render

INI = """
[DEFAULT]
pw = %(SECRET_pw)s
[app:main]
use = egg:Demo-App
url = pg://wiki:%(pw)s@db/wiki
plain = pg://wiki:hunter2@db/wiki
session.secret = literal
key = %(ENV_API_TOKEN)s
literal = x s3cr3t-value y
text = 50%% of
  two lines
[server:main]
use = egg:waitress
port = %(ENV_PORT)s
"""


@pytest.fixture
def config(mount):
    mount.write(INI)
    mount.secret("pw", "s3cr3t-value\n")
    mount.environ |= {"PORT": "99", "API_TOKEN": "abcdefgh"}
    return mount.read()


def test_secrets_are_masked_by_value_wherever_they_come_from(config):
    text = config.render()
    for secret in ("s3cr3t-value", "hunter2", "abcdefgh", "session.secret = literal"):
        assert secret not in text
    assert "url = pg://wiki:********@db/wiki" in text
    assert "literal = x ******** y" in text


def test_a_secret_too_short_to_be_searched_for_is_masked_where_it_is_used(mount):
    mount.write("[DEFAULT]\np = %(SECRET_pin)s\n[app:main]\nuse = egg:Demo-App\nx = a%(p)sb\n")
    mount.secret("pin", "42\n")
    text = mount.read().render()
    assert "p = ********" in text
    assert "x = a********b" in text


def test_secrets_are_listed_by_value(config):
    assert config.secrets() == {"s3cr3t-value"}


def test_a_parser_reads_the_same_values_back(config):
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(config.render())
    assert parser["app:main"]["text"] == "50% of\ntwo lines"
    assert parser["server:main"]["port"] == "99"


def test_origins_are_comments_with_file_and_line(mount, config):
    text = render(config, origins=True)
    assert f"# {mount.ini}:15\nport = 99" in text


def test_only_the_wanted_sections_are_shown(config):
    assert render(config, sections=["server:main"]).startswith("[server:main]\nuse")


def test_reference_without_a_value_is_shown_as_written(mount):
    mount.write("[app:main]\nuse = egg:Demo-App\n[other]\nx = %(ENV_NO)s\n")
    assert "\nx = %(ENV_NO)s\n" in mount.read().render()


def test_formats_of_logging_stay_raw(mount):
    mount.write(
        "[app:main]\nuse = egg:Demo-App\n"
        "[formatter_f]\nformat = %(ENV_TAG)s %(message)s 5%%\ndatefmt = %H:%M\n"
    )
    mount.environ["TAG"] = "%(name)s"
    text = mount.read().render()
    assert "format = %(name)s %(message)s 5%%\ndatefmt = %H:%M\n" in text


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        ("a longsecret b", ["long", "longsecret"], "a ******** b"),
        ("a1b", ["1"], "a1b"),
        ("1", ["1"], "********"),
        ("redis://:pw@h/0 http://u:p@h", [], "redis://:********@h/0 http://u:********@h"),
        ("pg://u:p@ss/w@h/db,amqp://v:x@i", [], "pg://u:********@h/db,amqp://v:********@i"),
        ("http://h:80/a", [], "http://h:80/a"),
    ],
)
def test_redaction(text, secrets, expected):
    assert redact(text, secrets) == expected
