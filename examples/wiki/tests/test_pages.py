"""The life of a page: missing, written, changed, compared, restored, found."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, event
from webtest import TestApp

from pastebox_wiki.names import url_part

Write = Callable[..., object]


def test_the_front_page_is_at_the_root_and_links_to_pages(app: TestApp) -> None:
    page = app.get("/")
    page.mustcontain("<title>Front Page · Test wiki</title>", '"/page/Sandbox"')
    page.click("Sandbox", index=0).mustcontain("<h1>Sandbox</h1>")


def test_the_front_page_sets_no_cookie_and_takes_two_queries(app: TestApp) -> None:
    statements: list[str] = []
    event.listen(
        Engine,
        "before_cursor_execute",
        listener := lambda *args: statements.append(args[2]),
    )
    try:
        assert "Set-Cookie" not in app.get("/").headers
    finally:
        event.remove(Engine, "before_cursor_execute", listener)
    assert len(statements) == 2


def test_every_link_on_a_sample_page_leads_somewhere(app: TestApp) -> None:
    for listed in app.get("/pages").html.select("ul.names a:not(.missing)"):
        text = app.get(listed["href"]).html.article
        for link in text.select('a[href^="/page/"]:not(.missing)'):
            app.get(link["href"])


def test_a_missing_page_answers_404_and_offers_to_write_it(app: TestApp) -> None:
    page = app.get("/page/Not_there", status=404)
    page.mustcontain("<h1>Not there</h1>", "Write it")
    page.click("Write it").mustcontain("<h1>Write Not there</h1>")


@pytest.mark.parametrize("path", ["/nothing", "/page/a%7Cb", "/page/a%7Cb/edit", "/page/%2e%2e"])
def test_an_address_that_cannot_be_a_page_answers_a_plain_404(app: TestApp, path: str) -> None:
    app.get(path, status=404).mustcontain("nothing at this address")


def test_a_red_link_turns_normal_when_the_page_is_written(app: TestApp, write: Write) -> None:
    write("Start", "[[Other thing]]")
    assert app.get("/page/Start").html.find("a", class_="missing")
    app.get("/pages").mustcontain("Wanted pages", "Other thing")
    write("Other_thing", "Back to [[start]]")
    assert not app.get("/page/Start").html.find("a", class_="missing")
    app.get("/page/Start/links").mustcontain("/page/Other_thing")


def test_backlinks_follow_the_current_text(app: TestApp, write: Write) -> None:
    write("A", "[[B]]")
    app.get("/page/B/links").mustcontain('"/page/A"', "does not exist yet")
    write("A", "no more")
    app.get("/page/B/links").mustcontain("No page links to it")


def test_another_spelling_leads_to_the_name_of_the_page(app: TestApp, write: Write) -> None:
    write("Some_Page", "x")
    assert app.get("/page/some_page", status=302).location == "http://localhost/page/Some_Page"
    app.get("/page/some_page/edit").mustcontain("Edit Some Page")


def test_every_revision_is_kept_and_can_be_seen(app: TestApp, write: Write) -> None:
    write("P", "first text", author="Ann", summary="begun")
    write("P", "second text", author="Bob")
    app.get("/page/P").mustcontain("second text", "Revision 2", "by Bob", no="first text")
    old = app.get("/page/P/revision/1")
    old.mustcontain("first text", "revision 1 of 2", "by Ann", no="second text")
    history = app.get("/page/P/history")
    history.mustcontain("Revision 2", "Revision 1", "<q>begun</q>", "Ann", "Bob")
    compared = history.forms[1].submit()
    compared.mustcontain("<b>first</b> text", "<b>second</b> text")


@pytest.mark.parametrize("path", ["revision/7", "revision/999999999", "diff?from=1&to=9999999999"])
def test_a_revision_that_never_was_answers_404(app: TestApp, path: str) -> None:
    app.get(f"/page/Sandbox/{path}", status=404).mustcontain("no such revision")


def test_a_diff_reads_forwards_whichever_way_it_is_asked_for(app: TestApp, write: Write) -> None:
    write("P", "one")
    write("P", "two")
    backwards = app.get("/page/P/diff?from=2&to=1")
    assert backwards.body == app.get("/page/P/diff").body


def test_going_back_to_a_revision_makes_a_new_one(app: TestApp, write: Write) -> None:
    write("P", "good")
    write("P", "bad")
    form = app.get("/page/P/revision/1").click("go back").forms[1]
    assert form["text"].value.strip() == "good"
    assert form["summary"].value == "Back to revision 1"
    form.submit("save").follow().mustcontain("good", "Revision 3")


def test_saving_the_same_text_makes_no_revision(app: TestApp, write: Write) -> None:
    write("P", "same\r\nlines  ")
    write("P", "same\nlines")
    app.get("/page/P").mustcontain("Revision 1,")


def test_leading_empty_lines_survive_an_edit(app: TestApp, write: Write) -> None:
    write("P", "\n\n    code first")
    assert app.get("/page/P/edit").forms[1]["text"].value.startswith("\n\n    code")


def test_recent_changes_lists_all_pages_newest_first(app: TestApp, write: Write) -> None:
    write("P", "x", summary="a <b>bold</b> claim")
    page = app.get("/recent")
    assert page.html.select_one(".changes a").text == "P"
    page.mustcontain("a &lt;b&gt;bold&lt;/b&gt; claim", "Front Page")


def test_long_lists_of_changes_have_a_next_part(app: TestApp, write: Write) -> None:
    for number in range(51):
        write("P", f"text {number}")
    history = app.get("/page/P/history")
    assert len(history.html.select(".changes li")) == 50
    assert len(history.click("Older revisions").html.select(".changes li")) == 1


def test_names_with_strange_letters_work_everywhere(app: TestApp, write: Write) -> None:
    name = "50 % Ünï \"&'+"
    write(name, f"[[{name}]]")
    write(name, f"again [[{name}]]")
    page = app.get(f"/page/{url_part(name)}")
    assert page.html.h1.text == name
    assert not page.html.find("a", class_="missing")
    for label in ("Edit", "History", "What links here"):
        page.click(f"^{label}$").mustcontain("Ünï")


def test_search_finds_all_words_in_names_and_texts(app: TestApp, write: Write) -> None:
    write("Ärger", "Nothing but <i>trouble</i> here")
    app.get("/search?q=trouble+%C3%A4rger").mustcontain("Ärger", "&lt;i&gt;<mark>trouble</mark>")
    app.get("/search?q=trouble+sandbox").mustcontain("No page contains")
    app.get("/search?q=wiki%25pages").mustcontain("No page contains")
    app.get("/search").mustcontain("Type one or more words")


def test_search_offers_to_write_a_page_of_that_name(app: TestApp) -> None:
    app.get("/search?q=brand+new").click("Write brand new").mustcontain("Write brand new")
    app.get("/search?q=sandbox").mustcontain("/page/Sandbox", no="There is no page of this name")


def test_new_page_asks_for_a_name_and_explains_a_bad_one(app: TestApp) -> None:
    form = app.get("/new").forms[1]
    form["name"] = "a|b"
    again = form.submit()
    again.mustcontain("cannot contain |")
    again.forms[1]["name"] = "Fine name"
    again.forms[1].submit().follow().mustcontain("Write Fine name")


def test_ready_asks_the_database(app: TestApp) -> None:
    answer = app.get("/ready")
    assert (answer.content_type, answer.text) == ("text/plain", "ok")


def test_under_a_prefix_all_links_carry_it(app: TestApp) -> None:
    page = app.get("/page/Sandbox", extra_environ={"SCRIPT_NAME": "/wiki"})
    links = [link["href"] for link in page.html.select("a") if not link["href"].startswith("#")]
    assert links
    assert all(link.startswith("/wiki/") for link in links)


def test_text_that_is_not_utf8_is_refused(app: TestApp) -> None:
    app.get("/search?q=%ff", status=400).mustcontain("not valid UTF-8")
    app.get("/page/%ff", status=400)
