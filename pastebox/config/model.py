"""The values that the configuration path hands down: where the INI is, what serves, what is served.

All of them are plain values: picklable, comparable, without a reference to a parser.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Origin(NamedTuple):
    """Where a value was written: a file and a line, or words such as ``environment X``."""

    text: str
    file: str | None = None
    line: int | None = None


class ConfigSpec(NamedTuple):
    """Which application: a file and the name of its section, or an ``egg:`` specification.

    ``scheme`` is ``config`` or ``egg``. For ``config``, ``path`` is absolute; ``name`` is the
    part after ``#``, ``main`` when there is none. ``origin`` says in words who chose it.
    """

    scheme: str
    path: str
    name: str
    origin: str

    @property
    def uri(self) -> str:
        """The PasteDeploy spelling: ``config:/etc/pastebox/app.ini#main``."""
        return f"{self.scheme}:{self.path}#{self.name}"


class Bind(NamedTuple):
    """An address to listen on.

    ``kind`` is ``tcp`` (``host``, ``port``), ``unix`` (``path``, ``mode`` as a number) or
    ``fd`` (``port`` is the number of an inherited, already listening descriptor).
    """

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    mode: int = 0o600

    def __str__(self) -> str:
        if self.kind == "unix":
            return f"unix:{self.path}"
        if self.kind == "fd":
            return f"fd:{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class ServerSpec(NamedTuple):
    """What ``[server:NAME]`` says, after aliases and overrides, as text.

    Attributes:
        runner: the name in the runner registry (``waitress``), or the ``use`` as written
            where no runner of ours goes by it (``egg:pyruvate#main``).
        use: the ``use`` value as the INI has it, or the ``server`` setting that replaces it.
        section: the section's name (``server:main``).
        file: the file that holds the section.
        options: the section's own options, without ``use`` and protocol keys.
        global_conf: the defaults that a PasteDeploy server receives.
        origins: option name (and ``use``) to where it was written.
        protocol: ``paste.server_runner`` or ``paste.server_factory`` where the section names an
            object itself (``runner`` is then ``call:module:object``), else empty.
        notes: remarks for the log, such as options that an override made meaningless.
    """

    runner: str
    use: str
    section: str
    file: str
    options: Mapping[str, str]
    global_conf: Mapping[str, str]
    origins: Mapping[str, Origin]
    protocol: str = ""
    notes: tuple[str, ...] = ()


class AppSource(NamedTuple):
    """A recipe for the application, which a worker cooks after the fork.

    Attributes:
        spec: the INI (or egg) and the section.
        variables: ``name=value`` words.
        overrides: ``(section, key, value, origin)`` rows from ``--set``, ``PASTEBOX_SET`` and
            ``PASTE__SECTION__KEY`` variables, in order of application.
        overlay_dir: the directory of overlays.
        secrets_dir: the directory behind ``%(SECRET_name)s``.
    """

    spec: ConfigSpec
    variables: Mapping[str, str]
    overrides: tuple[tuple[str, str, str, str], ...]
    overlay_dir: str
    secrets_dir: str
