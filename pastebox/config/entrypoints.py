"""Import what an entry point names, and tell "it is not there" from "it failed inside"."""

import re
from collections.abc import Sequence
from configparser import Error as ConfigParserError
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from pastebox.config.aliases import GONE, normalised
from pastebox.config.installed import glance
from pastebox.errors import ConfigError

if TYPE_CHECKING:
    from importlib import metadata

_VALUE = re.compile(r"(?P<module>[\w.]+)\s*(?::\s*(?P<attribute>[\w.]+))?\s*(?:\[.*\])?")


class Found(NamedTuple):
    """An entry point of an installed distribution, imported.

    ``distribution`` is an ``importlib.metadata.Distribution``, or stands in for one.
    """

    obj: Any
    protocol: str
    name: str
    distribution: Any


class DeferredDistribution:
    """Stands in for a distribution until something is asked of it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Ask the real one."""
        from importlib import metadata  # noqa: PLC0415  # 14 ms that few starts need

        return getattr(metadata.distribution(self._name), name)


def load_egg(spec: str, name: str, protocols: Sequence[Sequence[str]]) -> Found:
    """Find and import ``egg:SPEC#NAME`` in one of the protocol families.

    Raises:
        ConfigError: no such distribution or entry point, or several fit, or what it names is
            not there.
        BaseException: whatever importing it raises.
    """
    quick = _glance(spec, name, protocols)
    if quick is not None:
        protocol, value = quick
        return Found(load_object(value), protocol, name, DeferredDistribution(normalised(spec)))
    distribution = find_distribution(spec, [p for family in protocols for p in family])
    entries = list(distribution.entry_points)
    found = []
    for family in protocols:
        for protocol in family:
            hits = [e for e in entries if e.group == protocol and e.name == name]
            if hits:
                found.append((protocol, hits[0]))
                break
    if len(found) > 1:
        raise ConfigError(
            f'the entry point "{name}" of {spec} is ambiguous: '
            + ", ".join(protocol for protocol, _ in found),
            hint="name the object itself: paste.app_factory = module:object",
        )
    if not found:
        raise _no_entry_point(spec, name, [p for family in protocols for p in family], entries)
    protocol, entry = found[0]
    return Found(load_object(entry.value), protocol, name, distribution)


def has_entry_point(spec: str, name: str, protocols: Sequence[str]) -> bool:
    """Whether ``egg:SPEC#NAME`` is installed in one of the protocols; nothing is imported."""
    try:
        if _glance(spec, name, [protocols]) is not None:
            return True
        entries = find_distribution(spec, protocols).entry_points
    except ConfigError:
        return False
    return any(entry.group in protocols and entry.name == name for entry in entries)


def _glance(spec: str, name: str, protocols: Sequence[Sequence[str]]) -> tuple[str, str] | None:
    """Return protocol and value of an entry point that a glance finds, and finds once."""
    installed = glance(normalised(spec))
    try:
        groups = installed.entry_points() if installed is not None else {}
    except (OSError, ValueError, ConfigParserError):
        return None
    found = [
        [
            (protocol, groups[protocol][name])
            for protocol in family
            if name in groups.get(protocol, ())
        ]
        for family in protocols
    ]
    hits = [family[0] for family in found if family]
    return hits[0] if len(hits) == 1 else None


def find_distribution(spec: str, groups: Sequence[str]) -> "metadata.Distribution":
    """Return an installed distribution; a version or extras behind its name count for nothing.

    Raises:
        ConfigError: it is not installed; the hint has the near names that would do.
    """
    name = normalised(spec)
    if name in GONE:
        raise ConfigError(
            found=f'"{spec}"',
            expected="a distribution with the application",
            hint=GONE[name],
        )
    from importlib import metadata  # noqa: PLC0415  # 14 ms that few starts need

    try:
        return metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError) as error:
        near = _near(name, sorted(_providers(groups)))
        hint = f"did you mean {near}?" if near else f"pip install {name}" if name else None
        raise ConfigError(
            found=f'the distribution "{spec}", which is not installed',
            expected="an installed distribution",
            hint=hint,
        ) from error


def load_object(value: str) -> Any:
    """Import ``module:object.attribute``.

    Raises:
        ConfigError: the text is not of that form, the module is not there, or it has no such
            attribute.
        BaseException: whatever importing the module raises.
    """
    match = _VALUE.fullmatch(value.strip())
    if not match or not all(match["module"].split(".")):
        raise ConfigError(found=f'"{value}"', expected="module:object, such as myapp.wsgi:main")
    module_name = match["module"]
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(
            found=f'"{value}", and there is no module {error.name}',
            expected="an importable module",
            hint=f"is the package that has {error.name.partition('.')[0]} installed here?",
        ) from error
    for part in (match["attribute"] or "").split("."):
        if not part:
            continue
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ConfigError(
                found=f'"{value}", and {module_name} has no {match["attribute"]}',
                expected="an object of that module",
                hint=_did_you_mean(part, found),
            ) from error
    return found


def distribution_of(module: str) -> "metadata.Distribution | None":
    """Return the distribution that a top-level package came from, or ``None``."""
    from importlib import metadata  # noqa: PLC0415  # as above

    names = metadata.packages_distributions().get(module.partition(".")[0], [])
    return metadata.distribution(names[0]) if names else None


def _no_entry_point(
    spec: str, name: str, protocols: Sequence[str], entries: "Sequence[metadata.EntryPoint]"
) -> ConfigError:
    there = sorted({entry.name for entry in entries if entry.group in protocols})
    hint = f"{spec} has " + ", ".join(there) if there else None
    other = sorted({entry.group for entry in entries if entry.name == name})
    if other:
        hint = f"{spec} has {name} as {', '.join(other)}"
    return ConfigError(
        found=f'"egg:{spec}#{name}", and {spec} has no such entry point',
        expected=f"an entry point in {' or '.join(protocols)}",
        hint=hint or f"{spec} has no entry point for PasteDeploy",
    )


def _providers(groups: Sequence[str]) -> set[str]:
    from importlib import metadata  # noqa: PLC0415  # as above

    found = set()
    for distribution in metadata.distributions():
        if any(entry.group in groups for entry in distribution.entry_points):
            name = distribution.metadata["Name"]
            if name:
                found.add(str(name))
    return found


def _did_you_mean(name: str, holder: object) -> str | None:
    near = _near(name, [attribute for attribute in dir(holder) if attribute[0] != "_"])
    return f"did you mean {near}?" if near else None


def _near(name: str, known: Sequence[str]) -> str | None:
    from pastebox.settings import nearest  # noqa: PLC0415  # only mistakes pay for it

    spelled = {n.lower(): n for n in known}
    near = nearest(name.lower(), spelled)
    return spelled[near] if near else None
