"""Show a page, or one of its earlier revisions."""

from typing import Any

from markupsafe import Markup as Html
from pyramid.httpexceptions import HTTPFound, HTTPNotFound
from pyramid.request import Request

from ..names import FRONT_PAGE, page_key
from ..reading import PageText, missing_keys, read_page


def show_front(request: Request) -> dict[str, Any]:
    """Show the front page at the root."""
    return show_page(request, find_page(request, FRONT_PAGE))


def show(request: Request) -> dict[str, Any] | HTTPFound:
    """Show a page; another spelling of its name leads to the one it was made with."""
    name = request.matchdict["name"]
    page = find_page(request, name)
    if name != page.name.replace(" ", "_"):
        return HTTPFound(request.page_path(page.name))
    return show_page(request, page)


def show_revision(request: Request) -> dict[str, Any]:
    """Show a page as it was at one revision."""
    number = int(request.matchdict["number"])
    return show_page(request, find_page(request, request.matchdict["name"], number))


def find_page(request: Request, name: str, number: int | None = None) -> PageText:
    """Return the page that an address means.

    Raises:
        HTTPNotFound: there is no such page, or it has no such revision.
    """
    page = read_page(request.db, page_key(name), number)
    if page is None:
        raise HTTPNotFound()
    return page


def show_page(request: Request, page: PageText) -> dict[str, Any]:
    """Return what the template of a page shows."""
    return {"page": page, "body": render_text(request, page.text)}


def render_text(request: Request, text: str) -> Html:
    """Render a text, with links to pages that are not there marked."""
    missing = missing_keys(request.db, request.markup.link_targets(text))
    base = request.script_name + "/page/"
    return Html(request.markup.render(text, base, missing))  # noqa: S704 - escaped by the renderer
