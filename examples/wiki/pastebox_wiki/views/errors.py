"""Say what went wrong, and what can be done about it."""

import logging
from typing import Any

from pyramid.request import Request
from sqlalchemy.exc import DBAPIError

from ..names import name_problem, page_key, page_name
from ..reading import read_page
from .fields import read_text

_log = logging.getLogger(__name__)


def not_found(request: Request) -> dict[str, Any]:
    """Offer to write the page that is not there, if that is what the address means."""
    request.response.status_int = 404
    name = page_name((request.matchdict or {}).get("name", ""))
    if name_problem(name):
        return {"name": None, "exists": False}
    page = read_page(request.db, page_key(name))
    return {"name": page.name if page else name, "exists": page is not None}


def bad_csrf(context: Exception, request: Request) -> dict[str, Any]:
    """Refuse a form that this wiki did not hand out; give the text in it back."""
    request.response.status_int = 403
    _log.info("form refused: %s path=%s", type(context).__name__, request.path)
    return {
        "heading": "This form could not be accepted",
        "message": "It carries no valid token of your session, so it may have been sent by "
        "another site, or your session has ended. Open the form again and send it from there.",
        "rescued": read_text(request.POST, "text"),
    }


def bad_encoding(context: Exception, request: Request) -> dict[str, Any]:
    """Refuse an address or a form that is not UTF-8."""
    request.response.status_int = 400
    return {
        "heading": "This request cannot be read",
        "message": "Its address or its form is not valid UTF-8.",
        "rescued": "",
    }


def database_failed(context: DBAPIError, request: Request) -> dict[str, Any]:
    """Say that the database cannot be used at the moment; keep what was sent."""
    request.response.status_int = 503
    _log.error("the database cannot be used path=%s", request.path, exc_info=context)
    return {
        "heading": "The wiki cannot be read right now",
        "message": "Its database does not answer, or it has not been set up yet. "
        "Try again in a moment.",
        "rescued": read_text(request.POST, "text"),
    }
