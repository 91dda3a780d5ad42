"""List pages: all of them, those that link to one, those that contain some words."""

from typing import Any

from pyramid.request import Request

from ..names import name_problem, page_key, page_name
from ..reading import backlinks, page_names, read_page, wanted_names
from ..searching import find_pages, search_words
from .fields import read_text

_MAX_HITS = 50


def pages(request: Request) -> dict[str, Any]:
    """List all pages, and names that pages link to without there being a page."""
    return {"names": page_names(request.db), "wanted": wanted_names(request.db)}


def links(request: Request) -> dict[str, Any]:
    """List what links to a page, whether or not it exists."""
    name = page_name(request.matchdict["name"])
    page = read_page(request.db, page_key(name))
    return {
        "name": page.name if page else name,
        "exists": page is not None,
        "names": backlinks(request.db, page_key(name)),
    }


def search(request: Request) -> dict[str, Any]:
    """List pages that contain the words searched for; offer to write one of that name."""
    text = " ".join(read_text(request.GET, "q").split())
    hits = find_pages(request.db, search_words(text), _MAX_HITS)
    name = page_name(text)
    is_new = not name_problem(name) and read_page(request.db, page_key(name)) is None
    return {
        "query": text,
        "hits": hits,
        "is_cut": len(hits) == _MAX_HITS,
        "new_name": name if is_new else None,
    }
