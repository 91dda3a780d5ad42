"""Tell whoever watches the service whether it can work."""

import logging

from pyramid.request import Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger(__name__)


def ready(request: Request) -> str:
    """Answer "ok" if the database answers, else 503."""
    request.response.content_type = "text/plain"
    request.response.cache_control.no_store = True
    try:
        request.db.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        _log.warning("not ready: the database does not answer error=%s", type(error).__name__)
        request.response.status_int = 503
        return "the database does not answer"
    return "ok"
