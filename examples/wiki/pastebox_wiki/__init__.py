"""A small wiki on Pyramid and SQLAlchemy, made to be deployed with pastebox."""

from pyramid.config import Configurator
from pyramid.router import Router

from .routes import add_routes
from .security import add_security
from .services import add_services
from .settings import read_settings


def main(global_config: dict[str, str], **settings: str) -> Router:
    """Make the WSGI application from the settings of its section; opens no connection yet.

    Args:
        global_config: the options of `[DEFAULT]`; not used.
        **settings: the options of the application section.

    Raises:
        ValueError: a setting is missing or cannot be used; the message names it.
    """
    wiki_settings = read_settings(settings)
    config = Configurator(settings=settings)
    add_services(config, wiki_settings, settings)
    add_security(config, wiki_settings)
    add_routes(config)
    return config.make_wsgi_app()
