"""A distribution as installers know it: importlib.metadata's, with pkg_resources' names too.

Installer classes in the wild were written against ``pkg_resources``; PasteDeploy 3 hands them
``importlib.metadata`` objects. This one answers to both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from pastebox.errors import ConfigError


class InstalledDistribution:
    """An installed distribution; what is not defined here is looked up on the wrapped one."""

    def __init__(self, wrapped: metadata.Distribution) -> None:
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __str__(self) -> str:
        return f"{self.project_name} {self.version}"

    @property
    def project_name(self) -> str:
        """The name as its metadata spells it."""
        return self._header("Name")

    @property
    def key(self) -> str:
        """The name in lower case."""
        return self.project_name.lower()

    @property
    def version(self) -> str:
        """The version."""
        return self._header("Version")

    def _header(self, name: str) -> str:
        """Read one field of the metadata, without the e-mail parser, which costs start-up time."""
        text = self.wrapped.read_text("METADATA") or self.wrapped.read_text("PKG-INFO") or ""
        for line in text.split("\n\n", 1)[0].splitlines():
            field, colon, value = line.partition(":")
            if colon and field.lower() == name.lower():
                return value.strip()
        return str(self.wrapped.metadata[name])

    @property
    def location(self) -> str:
        """The directory that it is imported from."""
        return str(self.wrapped.locate_file(""))

    def has_metadata(self, name: str) -> bool:
        """Whether the metadata directory holds a file of this name."""
        return self.wrapped.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        """Return the text of a metadata file.

        Raises:
            FileNotFoundError: there is none of this name.
        """
        text = self.wrapped.read_text(name)
        if text is None:
            raise FileNotFoundError(name)
        return text

    def get_metadata_lines(self, name: str) -> Iterator[str]:
        """Yield the lines of a metadata file that are neither empty nor comments."""
        for line in self.get_metadata(name).splitlines():
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                yield stripped

    def get_entry_map(self, group: str | None = None) -> Mapping[str, Any]:
        """Return name to entry point of one group, or group to such a map."""
        groups: dict[str, dict[str, metadata.EntryPoint]] = {}
        for point in self.wrapped.entry_points:
            groups.setdefault(point.group, {})[point.name] = point
        return groups if group is None else groups.get(group, {})

    def get_entry_info(self, group: str, name: str) -> metadata.EntryPoint | None:
        """Return one entry point, or ``None``."""
        point: metadata.EntryPoint | None = self.get_entry_map(group).get(name)
        return point


def find_distribution(name: str) -> InstalledDistribution:
    """Return the installed distribution of this name, however it is spelled.

    Raises:
        ConfigError: it is not installed; the hint lists those that hold applications.
    """
    try:
        return InstalledDistribution(metadata.distribution(name))
    except (metadata.PackageNotFoundError, ValueError) as error:
        raise ConfigError(
            f'no distribution "{name}" is installed',
            hint=f"installed applications: {_listed(application_names())}",
        ) from error


def normalized(name: str) -> str:
    """Spell a distribution name as package indexes compare it (PEP 503)."""
    import re  # noqa: PLC0415  # loaded long since

    return re.sub(r"[-_.]+", "-", name).lower()


def application_names() -> list[str]:
    """Return the installed distributions that offer a ``paste.app_factory``, sorted."""
    return sorted(_offering("paste.app_factory"))


# They offer applications as building blocks; nobody configures one of them by a template.
FRAMEWORKS = frozenset(
    {"paste", "pastedeploy", "pastescript", "pastebox", "pyramid", "turbogears2", "webtest"}
)


def choose_application(given: str | None) -> str:
    """Return the distribution (``name`` or ``name#entrypoint``) that make-config configures.

    The one given; else, among the installed ones with a ``paste.app_factory`` that are no
    framework, the only one that also has a ``paste.app_install``; else the only one.

    Raises:
        ConfigError: there is none, or several; they are listed.
    """
    if given:
        return given
    candidates = sorted(name for name in _offering("paste.app_factory") if name not in FRAMEWORKS)
    installers = _offering("paste.app_install")
    chosen = [name for name in candidates if name in installers] or candidates
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise ConfigError(
            "no installed distribution offers an application (an entry point paste.app_factory)",
            hint="install the application into the image: FROM pastebox, RUN pip install theapp",
        )
    raise ConfigError(
        f"several installed distributions offer an application: {_listed(chosen)}",
        hint=f"name one of them: PASTEBOX_APP={chosen[0]}",
    )


def _offering(group: str) -> set[str]:
    return {
        normalized(point.dist.name)
        for point in metadata.entry_points(group=group)
        if point.dist is not None
    }


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
