"""A browser shows the traceback of a broken edit, and loads the page again when it is mended."""

from pathlib import Path

import pytest
from app_process import wait_until
from browser import Browser

pytestmark = [pytest.mark.process, pytest.mark.browser]

SHOTS = Path(__file__).parents[2] / "var" / "browser"
PAGE = """\
WORD = "first"
def main(global_conf, **conf):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [f"<!doctype html><html><body><h1>{WORD}</h1></body></html>".encode()]
    return app
"""


def save(app, text):
    new = app.directory / "theapp.py~"
    new.write_text(text)
    new.rename(app.module)


def test_browser_shows_a_broken_edit_and_loads_again_when_it_is_mended(serve):
    """Nobody touches the browser after its first page."""
    app = serve(
        code=PAGE,
        PASTEBOX_RELOAD="events",
        PASTEBOX_DEV="on",
        PASTEBOX_LIVERELOAD="on",
        PASTEBOX_LIVERELOAD_PORT="0",
    )
    app.wait_log("watching files=2")
    with Browser() as browser:
        browser.open(f"http://127.0.0.1:{app.port}/")
        assert heading(browser) == "first"
        assert panel(browser) is None
        save(app, PAGE.replace('"first"', '"first'))
        told = wait_until(lambda: panel(browser), "the panel with the traceback")
        assert told.startswith("SyntaxError: unterminated string literal")
        assert f'File "{app.module}", line 1' in told
        assert heading(browser) == "first"
        browser.screenshot(SHOTS / "broken.png")
        save(app, PAGE.replace('"first"', '"mended"'))
        wait_until(lambda: heading(browser) == "mended", "the mended page")
        assert panel(browser) is None
        browser.screenshot(SHOTS / "mended.png")
    assert app.stop() == 0


def heading(browser):
    return browser.evaluate("document.querySelector('h1')?.innerText")


def panel(browser):
    return browser.evaluate("document.querySelector('#pastebox-error')?.innerText")
