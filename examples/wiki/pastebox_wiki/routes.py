"""Say which address is answered by which view and template."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from pyramid.config import Configurator
from pyramid.exceptions import BadCSRFOrigin, BadCSRFToken
from pyramid.static import QueryStringConstantCacheBuster
from sqlalchemy.exc import OperationalError, ProgrammingError

from .views import edit, errors, history, listing, page, status

_STATIC = "pastebox_wiki:static"
_YEAR_S = 365 * 24 * 60 * 60

# name, pattern, view, template
_GET_ROUTES: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
    ("front", "/", page.show_front, "page"),
    ("page", "/page/{name}", page.show, "page"),
    ("revision", r"/page/{name}/revision/{number:\d{1,9}}", page.show_revision, "page"),
    ("links", "/page/{name}/links", listing.links, "links"),
    ("history", "/page/{name}/history", history.page_history, "history"),
    ("diff", "/page/{name}/diff", history.diff, "diff"),
    ("recent", "/recent", history.recent, "recent"),
    ("pages", "/pages", listing.pages, "pages"),
    ("search", "/search", listing.search, "search"),
    ("new", "/new", edit.new, "new"),
)


def add_routes(config: Configurator) -> None:
    """Add all routes, views and static files to the configuration."""
    config.add_static_view("static", _STATIC, cache_max_age=_YEAR_S)
    buster = QueryStringConstantCacheBuster(version("pastebox-wiki"))
    config.add_cache_buster(_STATIC, buster)
    config.add_route("ready", "/ready")
    config.add_view(status.ready, route_name="ready", request_method="GET", renderer="string")
    for name, pattern, view, template in _GET_ROUTES:
        config.add_route(name, pattern)
        config.add_view(view, route_name=name, request_method="GET", renderer=_template(template))
    config.add_route("edit", "/page/{name}/edit")
    for method, view in (("GET", edit.show_form), ("POST", edit.submit)):
        config.add_view(view, route_name="edit", request_method=method, renderer=_template("edit"))
    _add_error_views(config)


def _add_error_views(config: Configurator) -> None:
    """Add the pages that say what went wrong."""
    config.add_notfound_view(errors.not_found, renderer=_template("not_found"))
    message = _template("message")
    for context, view in (
        (BadCSRFToken, errors.bad_csrf),
        (BadCSRFOrigin, errors.bad_csrf),
        (UnicodeDecodeError, errors.bad_encoding),
        (OperationalError, errors.database_failed),
        (ProgrammingError, errors.database_failed),
    ):
        config.add_exception_view(view, context=context, renderer=message)


def _template(name: str) -> str:
    """Return the asset of a template."""
    return f"pastebox_wiki:templates/{name}.jinja2"
