"""Give every request what views need: a database session, the markup, paths of pages."""

from collections.abc import Mapping
from datetime import datetime

from pyramid.config import Configurator
from pyramid.events import BeforeRender
from pyramid.request import Request
from sqlalchemy.orm import Session, sessionmaker

from .database import make_engine
from .markup import Markup
from .names import FRONT_PAGE, page_key, url_part
from .settings import WikiSettings

_FRONT_KEY = page_key(FRONT_PAGE)


def add_services(
    config: Configurator, wiki_settings: WikiSettings, settings: Mapping[str, str]
) -> None:
    """Add the services to the configuration; each application has its own engine."""
    sessions = sessionmaker(make_engine(settings), expire_on_commit=False)
    markup = Markup()

    def db(request: Request) -> Session:
        """Open the request's session; it is closed, and rolled back, when the request ends."""
        session = sessions()
        request.add_finished_callback(lambda _request: session.close())
        return session

    def add_globals(event: BeforeRender) -> None:
        """Add what the layout of every page shows."""
        event["wiki_title"] = wiki_settings.title

    config.add_request_method(db, reify=True)
    config.add_request_method(lambda _request: markup, "markup", reify=True)
    config.add_request_method(page_path)
    config.add_subscriber(add_globals, BeforeRender)
    config.registry.settings.update(
        {
            "jinja2.filters": {"moment": moment, "iso": datetime.isoformat},
            "jinja2.trim_blocks": "true",
            "jinja2.lstrip_blocks": "true",
            "jinja2.undefined": "strict",
        }
    )
    config.include("pyramid_jinja2")


def page_path(request: Request, name: str, action: str = "", **query: str | int) -> str:
    """Return the path of a page, or of something done with it; the front page is the root."""
    if not action and not query and page_key(name) == _FRONT_KEY:
        path: str = request.route_path("front")
        return path
    path = request.script_name + "/page/" + url_part(name) + (f"/{action}" if action else "")
    return path + ("?" + "&".join(f"{key}={query[key]}" for key in query) if query else "")


def moment(value: datetime) -> str:
    """Write a moment for people."""
    return f"{value.day} {value:%B %Y, %H:%M} UTC"
