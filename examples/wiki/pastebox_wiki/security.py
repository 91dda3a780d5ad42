"""Sessions in a signed cookie, CSRF tokens for every form, and headers that limit browsers."""

from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.session import SignedCookieSessionFactory

from .settings import WikiSettings

_DAY_S = 24 * 60 * 60
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def add_security(config: Configurator, settings: WikiSettings) -> None:
    """Add the session, the check of every form and the headers to the configuration."""
    factory = SignedCookieSessionFactory(
        settings.session_secret,
        cookie_name="wiki_session",
        httponly=True,
        samesite="Lax",
        secure=settings.session_secure,
        max_age=30 * _DAY_S,
        timeout=30 * _DAY_S,  # long enough for an edit that lies open over the weekend
        reissue_time=_DAY_S,
    )
    config.set_session_factory(factory)
    config.set_default_csrf_options(require_csrf=True)
    config.add_subscriber(_add_headers, NewResponse)


def _add_headers(event: NewResponse) -> None:
    """Add the headers to a response that does not set them itself."""
    for header, value in _HEADERS.items():
        event.response.headers.setdefault(header, value)
