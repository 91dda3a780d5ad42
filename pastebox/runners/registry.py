"""Which runners there are, where each lives and what installs it; imported on demand."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, cast

from pastebox.config.model import Origin, ServerSpec
from pastebox.errors import ConfigError, UnavailableError
from pastebox.runners.base import Runner
from pastebox.settings import nearest


class Entry(NamedTuple):
    """A row of the registry: ``module:attribute``, and the extra that brings what it needs."""

    target: str
    extra: str | None
    needs: str


RUNNERS: dict[str, Entry] = {
    "waitress": Entry("pastebox.runners.waitress:WaitressRunner", None, "waitress"),
    "granian": Entry("pastebox.runners.granian:GranianRunner", "granian", "granian"),
    "gunicorn": Entry("pastebox.runners.gunicorn:GunicornRunner", "gunicorn", "gunicorn"),
    "http": Entry("pastebox.runners.http:HttpRunner", None, "waitress"),
    "twisted": Entry("pastebox.runners.twisted:TwistedRunner", "twisted", "twisted"),
    "wsgiutils": Entry("pastebox.runners.cheroot:WsgiutilsRunner", "wsgiutils", "cheroot"),
    "cgi": Entry("pastebox.runners.cgi:CgiRunner", None, "wsgiref"),
    "wsgiref": Entry("pastebox.runners.wsgiref:WsgirefRunner", None, "wsgiref"),
    "cherrypy": Entry("pastebox.runners.cheroot:CherrypyRunner", "cherrypy", "cheroot"),
    "flup_scgi_thread": Entry("pastebox.runners.flup:ScgiThreadRunner", None, "pastebox"),
    "flup_fcgi_thread": Entry("pastebox.runners.flup:FcgiThreadRunner", None, "pastebox"),
    "flup_ajp_thread": Entry("pastebox.runners.flup:AjpThreadRunner", None, "pastebox"),
    "flup_scgi_fork": Entry("pastebox.runners.flup_fork:ScgiForkRunner", None, "pastebox"),
    "flup_fcgi_fork": Entry("pastebox.runners.flup_fork:FcgiForkRunner", None, "pastebox"),
    "flup_ajp_fork": Entry("pastebox.runners.flup_fork:AjpForkRunner", None, "pastebox"),
}
"""The runners that this release can run."""

EXTERNAL = Entry("pastebox.runners.external:ExternalRunner", None, "pastebox")
"""For a server that is not ours, by its own ``paste.server_runner`` or ``_factory``."""

_PROTOCOLS = ("paste.server_factory", "paste.server_runner")


def known_runners() -> tuple[str, ...]:
    """Return every name that an INI may resolve to."""
    return tuple(RUNNERS)


def load_runner(spec: ServerSpec) -> Runner:
    """Return the runner that ``spec`` asks for.

    Raises:
        UnavailableError: the runner's extra is not installed (69); the hint says what to install.
        ConfigError: no runner goes by that name (78).
    """
    origin = spec.origins.get("use", Origin("default"))
    entry = EXTERNAL if _is_external(spec) else RUNNERS.get(spec.runner)
    if entry is None:
        raise _unknown(spec, origin)
    module, _, attribute = entry.target.partition(":")
    try:
        runner = getattr(import_module(module), attribute)()
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] != entry.needs:
            raise
        raise UnavailableError(
            f"the server {spec.runner} needs {entry.needs}, which is not installed",
            file=origin.file,
            line=origin.line,
            section=spec.section,
            option="use",
            hint=_how_to_install(entry.extra) if entry.extra else None,
        ) from error
    return cast("Runner", runner)


def _how_to_install(extra: str) -> str:
    command = f'pip install "pastebox[{extra}]"'
    return f'{command}\nthe image\'s target "servers" has it: make image TARGET=servers'


def with_environ(spec: ServerSpec, environ: Mapping[str, str]) -> ServerSpec:
    """Return the server with what variables of its own say; few servers have any.

    Raises:
        UnavailableError, ConfigError: as :func:`load_runner`, or a variable is wrong.
    """
    read: Callable[[ServerSpec, Mapping[str, str]], ServerSpec] | None
    read = getattr(load_runner(spec), "with_environ", None)
    return spec if read is None else read(spec, environ)


def _is_external(spec: ServerSpec) -> bool:
    """Whether the INI names a server that is installed and not ours."""
    if spec.runner == "http":
        from importlib.util import find_spec  # noqa: PLC0415  # few INIs ask

        is_egg = spec.use.lower().startswith("egg:paste#")
        return is_egg and find_spec("paste.httpserver") is not None
    if spec.runner in RUNNERS:
        return False
    if spec.protocol or spec.use.lower().startswith("call:"):
        return True
    from pastebox.config.aliases import split_egg  # noqa: PLC0415  # as above
    from pastebox.config.entrypoints import has_entry_point  # noqa: PLC0415  # as above

    egg = split_egg(spec.use)
    return egg is not None and has_entry_point(egg.distribution, egg.name, _PROTOCOLS)


def _unknown(spec: ServerSpec, origin: Origin) -> ConfigError:
    name = spec.runner.removeprefix("egg:").partition("#")[0]
    near = nearest(name, frozenset(known_runners()))
    return ConfigError(
        file=origin.file,
        line=origin.line,
        section=spec.section if origin.file else None,
        option="use" if origin.file else origin.text,
        found=f'"{spec.use}"',
        expected="a server that is known: " + ", ".join(RUNNERS),
        hint=f"did you mean {near}?" if near else "PASTEBOX_SERVER replaces the INI's choice",
    )
