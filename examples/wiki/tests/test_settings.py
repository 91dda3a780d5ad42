"""The wiki refuses to start with settings that would be unsafe or cannot work."""

from collections.abc import Callable
from pathlib import Path

import pytest
from webtest import TestApp

from pastebox_wiki import main
from pastebox_wiki.database import driver_url
from pastebox_wiki.settings import setup_delay


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "   ",
        "changeme",
        "CHANGE_ME_CHANGE_ME_CHANGE_ME",
        "change-this-secret",
        "my session secret",
        "xxxxxxxxxxxxxxxxxxxxxxxx",
        "${app_instance_secret}",
        "%(SECRET_session_secret)s",
        "<put a long random text here>",
        "tooshort1",
    ],
)
def test_a_missing_or_placeholder_secret_is_refused(settings: dict[str, str], secret: str) -> None:
    with pytest.raises(ValueError, match=r"session\.secret") as caught:
        main({}, **settings | {"session.secret": secret})
    assert not secret.strip() or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sqlalchemy.url", ""),
        ("sqlalchemy.url", "wiki.db"),
        ("sqlalchemy.url", "mysql://localhost/wiki"),
        ("session.secure", "perhaps"),
    ],
)
def test_a_setting_that_cannot_work_is_named(
    settings: dict[str, str], option: str, value: str
) -> None:
    with pytest.raises(ValueError, match=option):
        main({}, **settings | {option: value})


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_urls_use_psycopg(scheme: str) -> None:
    url = driver_url(f"{scheme}://wiki:p%40ss@db/wiki")
    assert (url.drivername, url.password) == ("postgresql+psycopg", "p@ss")


@pytest.mark.parametrize("value", ["soon", "-1", "inf", "nan"])
def test_a_delay_that_is_no_time_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"wiki\.setup_delay"):
        setup_delay({"wiki.setup_delay": value})


def test_the_application_opens_no_database_before_the_first_request(
    settings: dict[str, str], tmp_path: Path
) -> None:
    main({}, **settings)
    assert list(tmp_path.iterdir()) == []


def test_without_a_setup_pages_say_so(settings: dict[str, str]) -> None:
    app = TestApp(main({}, **settings))
    app.get("/", status=503).mustcontain("not been set up yet")
    assert app.get("/ready").text == "ok"


def test_ready_says_no_when_the_database_is_away(settings: dict[str, str]) -> None:
    url = "sqlite:////nonexistent/folder/wiki.db"
    app = TestApp(main({}, **settings | {"sqlalchemy.url": url}))
    assert app.get("/ready", status=503).content_type == "text/plain"


def test_a_secure_session_cookie_can_be_asked_for(
    settings: dict[str, str], run_setup: Callable[..., None]
) -> None:
    run_setup()
    app = TestApp(main({}, **settings | {"session.secure": "true"}))
    assert "; secure" in app.get("/page/P/edit").headers["Set-Cookie"].lower()
