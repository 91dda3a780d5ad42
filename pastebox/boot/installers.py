"""Which installer an application has: its own class, or ours under the names it knows."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from pastebox.boot.command import BadCommand, Command
from pastebox.boot.distribution import InstalledDistribution
from pastebox.boot.installer import Installer
from pastebox.boot.parts import INSTALL, OUR_INSTALLERS

_ALIASES: dict[str, dict[str, object]] = {
    "paste.script": {},
    "paste.script.command": {"BadCommand": BadCommand, "Command": Command},
    "paste.script.appinstall": {"Installer": Installer},
    "pylons": {},
    "pylons.util": {"PylonsInstaller": Installer},
}


def has_own_installer(distribution: InstalledDistribution, name: str) -> bool:
    """Whether the entry point names a class that is not ours; nothing is imported."""
    point = distribution.get_entry_info(INSTALL, name)
    return point is not None and point.value.replace(" ", "") not in OUR_INSTALLERS


def installer_for(distribution: InstalledDistribution, group: str, name: str) -> Installer:
    """Return the installer of the application ``name``; without an entry point it is ours.

    The application's module is imported, and what it raises passes through. Run it in a child:
    modules that subclass paster's Installer find ours, for which ``sys.modules`` is changed.
    """
    if not has_own_installer(distribution, name):
        return Installer(distribution, group, name)
    provide_aliases()
    point = distribution.get_entry_info(INSTALL, name)
    made: Any = point.load()(distribution, group, name) if point else None
    return made  # type: ignore[no-any-return]  # a class of the application's


def provide_aliases() -> None:
    """Let ``import paste.script.appinstall`` and its kin succeed where Paste Script cannot.

    A real package that imports well is left alone.
    """
    for family in ("paste.script", "pylons"):
        members = [name for name in _ALIASES if name == family or name.startswith(f"{family}.")]
        if not all(_imports(name) for name in members):
            for name in members:
                _provide(name)


def _imports(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def _provide(name: str) -> None:
    module = ModuleType(name, "A stand-in of pastebox for a module that is not installed.")
    module.__dict__.update(_ALIASES[name])
    is_package = any(other.startswith(f"{name}.") for other in _ALIASES)
    if is_package:
        module.__path__ = []
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(import_module(parent), child, module)
