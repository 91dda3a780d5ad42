"""The applications that an INI names, read from its text: nothing is imported, nothing walked."""

from collections.abc import Iterator
from importlib import metadata
from typing import NamedTuple

from pastebox.boot.distribution import InstalledDistribution
from pastebox.config.aliases import normalised, split_egg
from pastebox.config.reach import app_closure
from pastebox.config.read import Config
from pastebox.config.sections import APP_PREFIXES

GROUP = "paste.app_factory"
_PREFIXES = frozenset(prefix for family in APP_PREFIXES for prefix in family)


class NamedPart(NamedTuple):
    """An application that a section names.

    ``distribution`` is ``None`` for one that is named as ``module:object``; ``name`` is the
    entry point's name, or the top-level module's.
    """

    distribution: InstalledDistribution | None
    name: str

    @property
    def label(self) -> tuple[str, str]:
        """Name and version, for the journal; without a distribution there is no version."""
        if self.distribution is None:
            return self.name, ""
        return self.distribution.project_name, self.distribution.version


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
        return NamedPart(None, name)
    try:
        distribution = InstalledDistribution(metadata.distribution(name))
    except (metadata.PackageNotFoundError, ValueError):
        return None
    # A filter or a composite of the same spelling is no application.
    if entry_point not in distribution.get_entry_map(GROUP):
        return None
    return NamedPart(distribution, entry_point)


def has_setup(part: NamedPart) -> bool:
    """Whether the application may have something to set up; nothing of it is imported."""
    from pastebox.boot.installers import has_own_installer  # noqa: PLC0415  # a first start only
    from pastebox.boot.packages import has_module, packages_of  # noqa: PLC0415  # likewise
    from pastebox.boot.websetup import WEBSETUP  # noqa: PLC0415  # likewise

    if part.distribution is None:
        return has_module(part.name, WEBSETUP)
    if has_own_installer(part.distribution, part.name):
        return True
    return any(has_module(package, WEBSETUP) for package in packages_of(part.distribution.wrapped))
