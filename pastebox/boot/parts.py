"""The applications that an INI names, read from its text: nothing is imported, nothing walked."""

from collections.abc import Iterator
from configparser import Error as ConfigParserError
from typing import NamedTuple

from pastebox.config.aliases import normalised, split_egg
from pastebox.config.installed import glance
from pastebox.config.reach import app_closure
from pastebox.config.read import Config
from pastebox.config.sections import APP_PREFIXES

GROUP = "paste.app_factory"
INSTALL = "paste.app_install"
WEBSETUP = "websetup"
OUR_INSTALLERS = frozenset({"paste.script.appinstall:Installer", "pylons.util:PylonsInstaller"})
"""Names under which applications know the installer that is ours."""

Groups = dict[str, dict[str, str]]
_PREFIXES = frozenset(prefix for family in APP_PREFIXES for prefix in family)


class NamedPart(NamedTuple):
    """An application that a section names.

    Attributes:
        distribution: its normalised name; empty for one that is named as ``module:object``.
        version: the distribution's, as its metadata directory or its metadata says; for a module
            that of the distribution of the same name, so that an upgrade is seen.
        name: the entry point's name, or the top-level module's.
        installer: the value of its ``paste.app_install`` entry point, if it has one.
    """

    distribution: str
    version: str
    name: str
    installer: str

    @property
    def label(self) -> tuple[str, str]:
        """Name and version, for the journal."""
        return self.distribution or self.name, self.version


def named_parts(config: Config) -> list[NamedPart]:
    """Return the applications behind the INI's section, each once.

    A distribution that is not installed is left out: the loader reports it, with its place.
    """
    spec = config.source.spec
    if spec.scheme == "egg":
        names = {("egg", spec.path, spec.name): None}
    else:
        names = dict.fromkeys(_named(config))
    parts = (_part(*name) for name in names)
    return [part for part in parts if part is not None]


def _named(config: Config) -> Iterator[tuple[str, str, str]]:
    """Yield ``(kind, distribution or module, entry point)`` of every mention."""
    for parser, section in app_closure(config.documents, config.parser, config.source.spec.name):
        if section.partition(":")[0] not in _PREFIXES:
            continue
        for option in parser.own_options(section):
            value = parser.get(section, option)
            if option == GROUP:
                yield "module", value.partition(":")[0].strip().partition(".")[0], ""
            for word in value.split():
                egg = split_egg(word)
                if egg is not None:
                    yield "egg", normalised(egg.distribution), egg.name


def _part(kind: str, name: str, entry_point: str) -> NamedPart | None:
    if kind == "module":
        installed = glance(name)
        return NamedPart("", installed.version if installed else "", name, "")
    name = normalised(name)
    groups, version = _glance(name) or _look(name) or ({}, "")
    # A filter or a composite of the same spelling is no application.
    if entry_point not in groups.get(GROUP, {}):
        return None
    return NamedPart(name, version, entry_point, groups.get(INSTALL, {}).get(entry_point, ""))


def _glance(name: str) -> tuple[Groups, str] | None:
    installed = glance(name)
    try:
        return None if installed is None else (installed.entry_points(), installed.version)
    except (OSError, ValueError, ConfigParserError):
        return None


def _look(name: str) -> tuple[Groups, str] | None:
    """Ask importlib.metadata, which finds more and costs more."""
    from importlib import metadata  # noqa: PLC0415  # where a glance is not enough

    try:
        distribution = metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    groups: Groups = {}
    for point in distribution.entry_points:
        groups.setdefault(point.group, {})[point.name] = point.value
    return groups, distribution.version


def has_setup(part: NamedPart) -> bool:
    """Whether the application may have something to set up; nothing of it is imported."""
    from pastebox.boot.packages import has_module, packages_of  # noqa: PLC0415  # a first start only

    if not part.distribution:
        return has_module(part.name, WEBSETUP)
    if part.installer and part.installer.replace(" ", "") not in OUR_INSTALLERS:
        return True
    from importlib import metadata  # noqa: PLC0415  # likewise

    distribution = metadata.distribution(part.distribution)
    return any(has_module(package, WEBSETUP) for package in packages_of(distribution))
