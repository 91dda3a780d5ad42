"""Forms are checked, and no text that somebody wrote gets lost."""

import gc
from collections.abc import Callable

import pytest
from webtest import TestApp

Write = Callable[..., object]


def test_a_form_without_a_token_is_refused_and_its_text_given_back(app: TestApp) -> None:
    sent = {"text": "<b>long work</b>", "base": "0"}
    page = app.post("/page/P/edit", sent, status=403)
    page.mustcontain("could not be accepted", "&lt;b&gt;long work&lt;/b&gt;", no="<b>long")
    app.get("/page/P", status=404)


def test_a_token_of_another_session_is_refused(app: TestApp) -> None:
    token = app.get("/page/P/edit").forms[1]["csrf_token"].value
    app.reset()
    app.get("/page/P/edit")
    app.post("/page/P/edit", {"text": "x", "base": "0", "csrf_token": token}, status=403)


def test_the_session_cookie_is_hidden_from_scripts_and_other_sites(app: TestApp) -> None:
    cookie = app.get("/page/P/edit").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "secure" not in cookie.lower()


def test_the_name_of_the_author_is_remembered(app: TestApp, write: Write) -> None:
    write("P", "x", author=" Ann\tLee ")
    assert app.get("/page/Q/edit").forms[1]["author"].value == "Ann Lee"


def test_a_preview_saves_nothing_and_keeps_the_text(app: TestApp) -> None:
    form = app.get("/page/P/edit").forms[1]
    form["text"] = "**bold** <script>"
    page = form.submit("preview")
    page.mustcontain("<strong>bold</strong> &lt;script&gt;", "not saved yet")
    assert page.forms[1]["text"].value.strip() == "**bold** <script>"
    app.get("/page/P", status=404)


def test_an_edit_of_an_older_revision_shows_both_texts(app: TestApp, write: Write) -> None:
    write("P", "common line")
    mine = app.get("/page/P/edit").forms[1]
    write("P", "common line\n\ntheirs <i>", author="Ann")
    mine["text"] = "common line\n\nmine </textarea>"
    conflict = mine.submit("save", status=409)
    conflict.mustcontain("changed while you were editing", "Ann", "saved revision 2")
    assert conflict.html.find("textarea", class_="theirs").text.strip().endswith("theirs <i>")
    assert conflict.forms[1]["text"].value.strip().endswith("mine </textarea>")
    app.get("/page/P").mustcontain("theirs", no="mine")
    conflict.forms[1].submit("save", status=303).follow().mustcontain("mine", "Revision 3")
    app.get("/page/P/revision/2").mustcontain("theirs")


def test_two_people_who_write_one_new_page_get_a_conflict(app: TestApp, write: Write) -> None:
    mine = app.get("/page/New_one/edit").forms[1]
    write("new_one", "theirs")
    mine["text"] = "mine"
    mine.submit("save", status=409).mustcontain("theirs", "mine")


@pytest.mark.parametrize("base", ["", "0", "x", "99", "-1", "99999999999999"])
def test_a_base_that_is_not_the_current_revision_is_a_conflict(app: TestApp, base: str) -> None:
    form = app.get("/page/Sandbox/edit").forms[1]
    form["base"].force_value(base)
    form["text"] = "overwritten"
    form.submit("save", status=409)
    app.get("/page/Sandbox").mustcontain(no="overwritten")


@pytest.mark.parametrize(
    ("text", "reason"),
    [(" \r\n ", "no text yet"), ("x" * 200_001, "at most 200000")],
)
def test_a_text_that_cannot_be_saved_is_explained(app: TestApp, text: str, reason: str) -> None:
    form = app.get("/page/P/edit").forms[1]
    form["text"] = text
    form.submit("save", status=400).mustcontain(reason)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # WebOb leaves the upload open
def test_a_file_in_place_of_the_text_is_no_text(app: TestApp) -> None:
    token = app.get("/page/P/edit").forms[1]["csrf_token"].value
    files = [("text", "x.txt", b"content")]
    app.post("/page/P/edit", {"csrf_token": token}, upload_files=files, status=400)
    gc.collect()  # here, so that the warning is this test's


def test_null_characters_are_dropped(app: TestApp, write: Write) -> None:
    write("P", "a\0b", author="A\0nn")
    app.get("/page/P").mustcontain("ab", "A nn")


def test_pages_carry_headers_that_limit_the_browser(app: TestApp) -> None:
    headers = app.get("/").headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
