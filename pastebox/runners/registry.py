"""Which runners there are, where each lives and what installs it; imported on demand."""

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
    "gunicorn": Entry("pastebox.runners.gunicorn:GunicornRunner", "gunicorn", "gunicorn"),
    "wsgiutils": Entry("pastebox.runners.cheroot:WsgiutilsRunner", "wsgiutils", "cheroot"),
    "wsgiref": Entry("pastebox.runners.wsgiref:WsgirefRunner", None, "wsgiref"),
    "cherrypy": Entry("pastebox.runners.cheroot:CherrypyRunner", "cherrypy", "cheroot"),
    "flup_scgi_thread": Entry("pastebox.runners.flup:ScgiThreadRunner", None, "pastebox"),
    "flup_fcgi_thread": Entry("pastebox.runners.flup:FcgiThreadRunner", None, "pastebox"),
    "flup_ajp_thread": Entry("pastebox.runners.flup:AjpThreadRunner", None, "pastebox"),
}
"""The runners that this release can run."""

ANNOUNCED: dict[str, str] = {
    "http": "http",
    "granian": "granian",
    "twisted": "twisted",
    "cgi": "cgi",
    "flup_scgi_fork": "flup",
    "flup_fcgi_fork": "flup",
    "flup_ajp_fork": "flup",
}
"""Names that INIs use and the extra that will bring them; refused by name, never substituted."""


def known_runners() -> tuple[str, ...]:
    """Return every name that an INI may resolve to."""
    return (*RUNNERS, *ANNOUNCED)


def load_runner(spec: ServerSpec) -> Runner:
    """Return the runner that ``spec`` asks for.

    Raises:
        UnavailableError: the runner's extra is not installed (69); the hint says what to install.
        ConfigError: no runner goes by that name (78).
    """
    origin = spec.origins.get("use", Origin("default"))
    entry = RUNNERS.get(spec.runner)
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
            hint=f'pip install "pastebox[{entry.extra}]"' if entry.extra else None,
        ) from error
    return cast("Runner", runner)


def _unknown(spec: ServerSpec, origin: Origin) -> ConfigError | UnavailableError:
    if spec.runner in ANNOUNCED:
        extra = ANNOUNCED[spec.runner]
        return UnavailableError(
            f'the server "{spec.use}" needs the extra "{extra}", which this release has not yet',
            file=origin.file,
            line=origin.line,
            section=spec.section if origin.file else None,
            option="use" if origin.file else origin.text,
            hint="PASTEBOX_SERVER=waitress serves the application with what is installed",
        )
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
