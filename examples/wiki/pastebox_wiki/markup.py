"""Render Markdown with wiki links to HTML that is safe to show."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from .names import name_problem, page_key, page_name, url_part

_CACHE_SIZE = 128
_RELATIVE_URL = re.compile(r"[^:]*([/?#]|$)")
_ABSOLUTE_URL = re.compile(r"(https?://|mailto:)", re.IGNORECASE)


class Markup:
    """Renders texts and finds their wiki links; remembers what it rendered last.

    The memory is keyed by everything the result depends on, so it never needs to be cleared.
    """

    def __init__(self) -> None:
        """Build the parser and empty memories."""
        self._parser = _make_parser()
        self.render: Callable[[str, str, frozenset[str]], str]
        self.render = lru_cache(_CACHE_SIZE)(self._render)
        self.link_targets: Callable[[str], dict[str, str]]
        self.link_targets = lru_cache(_CACHE_SIZE)(self._link_targets)

    def _render(self, text: str, base: str, missing: frozenset[str]) -> str:
        """Render a text; `base` is put before page names, `missing` are keys without a page."""
        env = {"base": base, "missing": missing}
        return str(self._parser.render(text, env))

    def _link_targets(self, text: str) -> dict[str, str]:
        """Return the pages a text links to, names by key."""
        targets: dict[str, str] = {}
        for block in self._parser.parse(text):
            for token in block.children or ():
                if token.type == "wiki_link":
                    name = token.meta["name"]
                    targets.setdefault(page_key(name), name)
        return targets


class _SafeMarkdown(MarkdownIt):
    """CommonMark, but links lead to web pages, mail addresses and this wiki only."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
        """Tell whether a link may be made; the text stays as it was typed if not."""
        return bool(_ABSOLUTE_URL.match(url) or _RELATIVE_URL.match(url))


def _make_parser() -> MarkdownIt:
    """Put the parser together: no HTML, no images from elsewhere, tables, wiki links."""
    parser = _SafeMarkdown("commonmark", {"html": False})
    parser.enable(["table", "strikethrough"]).disable("image")
    parser.inline.ruler.before("link", "wiki_link", _read_wiki_link)
    parser.core.ruler.push("demote_headings", _demote_headings)
    parser.add_render_rule("wiki_link", _render_wiki_link)
    parser.add_render_rule("link_open", _render_link_open)
    return parser


def _read_wiki_link(state: StateInline, silent: bool) -> bool:
    """Read `[[Name]]` or `[[Name|label]]` at the current place."""
    if state.linkLevel or not state.src.startswith("[[", state.pos):
        return False
    end = state.src.find("]]", state.pos + 2, state.posMax)
    if end < 0:
        return False
    target, _, label = state.src[state.pos + 2 : end].partition("|")
    name = page_name(target)
    if name_problem(name):
        return False
    if not silent:
        token = state.push("wiki_link", "a", 0)
        token.content = label.strip() or name
        token.meta = {"name": name}
    state.pos = end + 2
    return True


def _demote_headings(state: StateCore) -> None:
    """Make first-level headings second-level ones: the first belongs to the page's name."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close") and token.tag == "h1":
            token.tag = "h2"


def _render_wiki_link(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Render a link to a page; one that does not exist yet is marked."""
    token = tokens[index]
    name = token.meta["name"]
    href = escapeHtml(env["base"] + url_part(name))
    marks = ""
    if page_key(name) in env["missing"]:
        marks = ' class="missing" title="This page does not exist yet"'
    return f'<a href="{href}"{marks}>{escapeHtml(token.content)}</a>'


def _render_link_open(
    renderer: RendererProtocol,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: EnvType,
) -> str:
    """Render the start of a link; those that leave the wiki give search engines no credit."""
    token = tokens[index]
    href = str(token.attrGet("href"))
    if href.startswith("//") or not _RELATIVE_URL.match(href):
        token.attrSet("rel", "nofollow noopener")
        token.attrSet("class", "external")
    rendered: str = renderer.renderToken(tokens, index, options, env)  # type: ignore[attr-defined]
    return rendered
