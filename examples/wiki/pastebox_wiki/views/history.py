"""Show what changed: on a page, in the whole wiki, and between two revisions."""

from typing import Any

from pyramid.request import Request

from ..diff import compare_texts
from ..reading import Change, page_changes, recent_changes
from .fields import MAX_NUMBER, read_number
from .page import find_page

_PER_LIST = 50


def page_history(request: Request) -> dict[str, Any]:
    """List the revisions of a page, newest first."""
    page = find_page(request, request.matchdict["name"])
    before = read_number(request.GET, "before", MAX_NUMBER)
    changes = page_changes(request.db, page.page_id, before, _PER_LIST + 1)
    return {"page": page, **_one_list(changes)}


def recent(request: Request) -> dict[str, Any]:
    """List the changes to all pages, newest first."""
    before = read_number(request.GET, "before", MAX_NUMBER)
    return _one_list(recent_changes(request.db, before, _PER_LIST + 1))


def diff(request: Request) -> dict[str, Any]:
    """Compare two revisions of a page; by default the current one with the one before it."""
    name = request.matchdict["name"]
    page = find_page(request, name)
    new_number = read_number(request.GET, "to", page.head)
    old_number = read_number(request.GET, "from", max(new_number - 1, 1))
    old, new = find_page(request, name, old_number), find_page(request, name, new_number)
    if old.number > new.number:
        old, new = new, old
    return {"page": page, "old": old, "new": new, "lines": compare_texts(old.text, new.text)}


def _one_list(changes: list[Change]) -> dict[str, Any]:
    """Return as many changes as a list shows, and where the next list begins."""
    shown = changes[:_PER_LIST]
    return {"changes": shown, "older": shown[-1].id if len(changes) > _PER_LIST else None}
