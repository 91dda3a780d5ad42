"""Rendering is safe whatever is typed, and links know which pages are missing."""

import pytest

from pastebox_wiki.markup import Markup

NOTHING: frozenset[str] = frozenset()


def render(text: str, missing: frozenset[str] = NOTHING) -> str:
    return Markup().render(text, "/page/", missing)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>alert(1)</script>", id="script-block"),
        pytest.param("a <img src=x onerror=alert(1)> b", id="inline-tag"),
        pytest.param("<!-- --><svg onload=alert(1)>", id="comment"),
        pytest.param("`<b>`\n\n```\n</code><b>\n```", id="code"),
        pytest.param('```"><script>\nx\n```', id="info-string"),
        pytest.param("[[a|<b onclick=x>]]", id="wiki-link-label"),
        pytest.param('[[a" onmouseover="x]]', id="wiki-link-name"),
        pytest.param('[x](/y "\\"><script>")', id="link-title"),
        pytest.param("| <script> |\n|---|\n| <b> |", id="table"),
        pytest.param("&lt;script&gt;", id="entities"),
    ],
)
def test_no_tag_or_attribute_can_be_smuggled_in(text: str) -> None:
    html = render(text)
    for forbidden in ("<script", "<img", "<svg", "<b>", "<b ", "<!--", '" on', "onclick=x>"):
        assert forbidden not in html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "javascript&colon;alert(1)",
        "vbscript:x",
        "data:text/html,<script>",
        "data:image/svg+xml,x",
        "file:///etc/passwd",
        "java%0Ascript:alert(1)",
    ],
)
def test_a_link_of_another_kind_stays_text(url: str) -> None:
    assert "href" not in render(f"[x]({url})")
    assert "href" not in render(f"<{url}>")


def test_images_are_not_loaded_from_elsewhere() -> None:
    assert "<img" not in render("![x](https://example.org/x.png)")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Top", "<h2>Top</h2>"),
        ("## Top", "<h2>Top</h2>"),
        ("###### Deep", "<h6>Deep</h6>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("1. a", "<ol>\n<li>a</li>\n</ol>"),
        ("**b** *i* `c`", "<p><strong>b</strong> <em>i</em> <code>c</code></p>"),
        ("[x](/y)", '<p><a href="/y">x</a></p>'),
        ("[[Some Page]]", '<p><a href="/page/Some_Page">Some Page</a></p>'),
        ("[[some_page|here]]", '<p><a href="/page/some_page">here</a></p>'),
        ("[[Ünï & Co]]", '<p><a href="/page/%C3%9Cn%C3%AF_%26_Co">Ünï &amp; Co</a></p>'),
        ("`[[code]]`", "<p><code>[[code]]</code></p>"),
        ("[[]] [[a<b]]", "<p>[[]] [[a&lt;b]]</p>"),
    ],
)
def test_markup_renders(text: str, expected: str) -> None:
    assert render(text).strip() == expected


@pytest.mark.parametrize("url", ["https://example.org/", "//example.org/"])
def test_links_out_of_the_wiki_give_no_credit(url: str) -> None:
    assert 'rel="nofollow noopener"' in render(f"[x]({url})")


def test_a_missing_page_is_marked_whatever_its_capitals() -> None:
    html = render("[[New]] [[Old]]", frozenset({"new"}))
    assert html.count('class="missing"') == 1
    assert '<a href="/page/New" class="missing"' in html


def test_a_wiki_link_inside_a_link_does_not_nest() -> None:
    assert render("[see [[Old]]](/y)").count("<a ") == 1


def test_link_targets_are_found_once_and_not_in_code() -> None:
    text = "# [[A]]\n\n- [[a]] [[B c|x]]\n\n```\n[[no]]\n```\n\n| t |\n|---|\n| [[D]] |\n"
    assert Markup().link_targets(text) == {"a": "A", "b c": "B c", "d": "D"}


def test_deeply_nested_input_is_no_danger() -> None:
    assert render("> " * 5000 + "x")
    assert render("[" * 5000 + "*" * 5000)
