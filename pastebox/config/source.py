"""Cook the recipe: load the application in the process that serves it, or list its parts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from pastebox.config.document import documents
from pastebox.config.model import AppSource, ConfigSpec, WSGIApp
from pastebox.config.overlay import collect_overrides
from pastebox.config.reach import app_closure, missing
from pastebox.config.read import refuse_missing
from pastebox.errors import ConfigError
from pastebox.settings import Settings


class AppPart(NamedTuple):
    """One application behind a section, as setup-app needs it.

    Attributes:
        distribution: the distribution's name, or ``None`` when no installed one is known.
        entry_point: the entry point's name; empty for an object that is named directly.
        factory: ``module:object`` of the factory.
        section: the section, such as ``app:main``; empty for an ``egg:`` on its own.
        filename: the absolute path of the file of that section; empty for an ``egg:``.
        global_conf: the defaults that the factory would receive.
        local_conf: the options that the factory would receive.
    """

    distribution: str | None
    entry_point: str
    factory: str
    section: str
    filename: str
    global_conf: Mapping[str, str]
    local_conf: Mapping[str, str]


def app_source(
    spec: ConfigSpec,
    settings: Settings,
    variables: Mapping[str, str],
    environ: Mapping[str, str],
    arguments: Iterable[Sequence[str]] = (),
) -> AppSource:
    """Put the recipe together.

    Args:
        spec: the INI and the section.
        settings: the ``overlay_dir``, ``secrets_dir`` and ``set`` rows of it.
        variables: the ``name=value`` words.
        environ: its ``PASTE__SECTION__KEY`` variables.
        arguments: the ``--set SECTION KEY=VALUE`` pairs.

    Raises:
        ConfigError: an override from the environment is not in its form.
        UsageError: an override from the command line is not in its form.
    """
    overrides = collect_overrides(environ, settings.set, arguments)
    return AppSource(spec, dict(variables), overrides, settings.overlay_dir, settings.secrets_dir)


def load_app(source: AppSource, environ: Mapping[str, str]) -> WSGIApp:
    """Load the application in this process, for which PasteDeploy is changed for good.

    Raises:
        ConfigError: the configuration is wrong, or a factory does not take its options.
        NoPermissionError: a file may not be read.
        BaseException: whatever the application raises, as it is.
    """
    from pastebox.config import loader  # noqa: PLC0415  # it brings PasteDeploy

    context = _context(source, environ)
    try:
        return cast("WSGIApp", context.create())
    except TypeError as error:
        culprit = loader.signature_fault(error)
        if culprit is None:
            raise
        raise _does_not_fit(culprit, error) from error


def app_parts(source: AppSource, environ: Mapping[str, str]) -> list[AppPart]:
    """List the applications behind the section, through filters, pipelines and composites.

    Each pair of section and distribution is there once, in the order of the walk. Factories
    are imported, none is called.

    Raises:
        ConfigError: the configuration is wrong.
        NoPermissionError: a file may not be read.
        BaseException: whatever importing the application raises.
    """
    from pastebox.config.parts import walk  # noqa: PLC0415  # only setup-app asks

    return walk(_context(source, environ))


def load_server(use: str) -> tuple[Any, str]:
    """Import a server that is not ours: ``egg:DIST#NAME`` or ``call:module:object``.

    Returns:
        The object and its protocol, ``paste.server_runner`` or ``paste.server_factory``; for
        ``call:`` the protocol is empty, since the section says it.

    Raises:
        ConfigError: it is not there.
        BaseException: whatever importing it raises.
    """
    from pastebox.config.aliases import split_egg  # noqa: PLC0415  # servers of ours do not ask
    from pastebox.config.entrypoints import load_egg, load_object  # noqa: PLC0415  # likewise

    egg = split_egg(use)
    if egg is None:
        return load_object(use.partition(":")[2] if use.lower().startswith("call:") else use), ""
    found = load_egg(egg.distribution, egg.name, [["paste.server_factory", "paste.server_runner"]])
    return found.obj, found.protocol


def _context(source: AppSource, environ: Mapping[str, str]) -> Any:
    from pastebox.config import loader  # noqa: PLC0415  # it brings PasteDeploy

    opener = documents(source, environ)
    parser = opener.main()
    refuse_missing(missing(app_closure(opener, parser, source.spec.name)))
    loader.install(opener)
    return loader.app_context(opener, parser)


def _does_not_fit(context: Any, error: TypeError) -> ConfigError:
    filename, section = getattr(context, "pastebox_place", (None, None))
    name = getattr(context.object, "__name__", type(context.object).__name__)
    return ConfigError(
        f"{name} does not take these options: {error}",
        file=filename,
        section=section,
        found=", ".join(sorted(context.local_conf)) or "no options",
        hint="remove the option, or correct its name",
    )
