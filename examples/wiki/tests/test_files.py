"""The files around the code: the template of the INI, the INIs, the metadata."""

from collections.abc import Mapping
from configparser import ConfigParser
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path
from string import Template

import pytest
from webtest import TestApp

from pastebox_wiki import main
from pastebox_wiki.database import driver_url

HERE = Path(__file__).parent.parent
VARS = {
    "project_name": "pastebox-wiki",
    "app_instance_secret": "l1Xo0c/fd+9aQWERTY7hgt54f",
    "app_instance_uuid": "3c5b5ac2-30b5-4b0c-9d0e-64f0c3f4b4a2",
}


class CaseKeepingParser(ConfigParser):
    def optionxform(self, option: str) -> str:
        return option


def parse(text: str, **defaults: str) -> ConfigParser:
    parser = CaseKeepingParser(defaults=defaults)
    parser.read_string(text)
    return parser


def section(parser: ConfigParser, name: str) -> Mapping[str, str]:
    return {key: value for key, value in parser[name].items() if key not in parser.defaults()}


def test_the_template_renders_to_an_ini_that_starts(tmp_path: Path) -> None:
    source = files("pastebox_wiki").joinpath("config", "deployment.ini_tmpl")
    text = Template(source.read_text(encoding="utf-8")).substitute(VARS)
    parser = parse(text, here=str(tmp_path))
    app = dict(section(parser, "app:main"))
    assert app.pop("use") == "egg:pastebox-wiki"
    assert app["sqlalchemy.url"] == f"sqlite:///{tmp_path}/wiki.db"
    assert app["session.secret"] == VARS["app_instance_secret"]
    assert TestApp(main({}, **app)).get("/ready").text == "ok"
    assert section(parser, "server:main") == {
        "use": "egg:waitress#main",
        "host": "0.0.0.0",
        "port": "8080",
        "threads": "4",
    }
    assert not parser.has_section("loggers")


@pytest.mark.parametrize(
    ("file", "url"),
    [
        ("wiki.ini", "sqlite:////data/wiki.db"),
        ("wiki-postgresql.ini", "postgresql+psycopg://wiki:pa55@db/wiki"),
    ],
)
def test_the_mountable_inis_take_their_secrets_from_outside(file: str, url: str) -> None:
    outside = {"SECRET_session_secret": "s" * 20, "SECRET_db_password": "pa55", "ENV_DB_HOST": "db"}
    parser = parse((HERE / file).read_text(encoding="utf-8"), **outside)
    app = section(parser, "app:main")
    assert app["use"] == "egg:pastebox-wiki"
    assert app["session.secret"] == "s" * 20
    found = driver_url(app["sqlalchemy.url"])
    assert found.render_as_string(hide_password=False) == url
    assert parser["server:main"]["host"] == "0.0.0.0"


def test_the_entry_points_are_there_and_nothing_lists_top_level_modules() -> None:
    wiki = distribution("pastebox-wiki")
    found = {(point.group, point.name): point.value for point in wiki.entry_points}
    assert found == {
        ("paste.app_factory", "main"): "pastebox_wiki:main",
        ("paste.app_install", "main"): "paste.script.appinstall:Installer",
    }
    assert wiki.read_text("top_level.txt") is None
