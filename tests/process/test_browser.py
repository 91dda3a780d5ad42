"""A browser shows the traceback of a broken edit, and loads the page again when it is mended."""

from pathlib import Path

import pytest
from app_process import LIVE_RELOAD, wait_until
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
    app = serve(code=PAGE, **LIVE_RELOAD)
    app.wait_log("watching files=2")
    with Browser() as browser:
        browser.open(f"http://127.0.0.1:{app.port}/")
        shows(browser, "first", "")
        save(app, PAGE.replace('"first"', '"first'))
        told = shows(browser, "first", "SyntaxError: unterminated string literal")
        assert f'File "{app.module}", line 1' in told
        browser.screenshot(SHOTS / "broken.png")
        save(app, PAGE.replace('"first"', '"mended"'))
        shows(browser, "mended", "")
        browser.screenshot(SHOTS / "mended.png")
    assert app.stop() == 0


def shows(browser, heading, told):
    """Wait until the page has this heading, and this at the top of it; return what is at the top.

    It may be loaded more than once for one change, and is empty in between.
    """
    parts = ("h1", "#pastebox-error")
    expression = ",".join(f"document.querySelector('{one}')?.innerText ?? ''" for one in parts)

    def found():
        seen = browser.evaluate(f"[{expression}]") or ["", ""]
        is_it = seen[0] == heading and seen[1].startswith(told) and bool(seen[1]) == bool(told)
        return seen if is_it else None

    return wait_until(found, f"a page with {heading!r} and {told!r}")[1]
