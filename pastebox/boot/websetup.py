"""Call the websetup functions of an application, in both signatures that exist."""

from importlib import import_module
from typing import Any, NamedTuple

from pastebox.boot.command import Command
from pastebox.boot.packages import has_module, packages_of
from pastebox.boot.parts import WEBSETUP


class Context(NamedTuple):
    """What a websetup may look up of the section's origin; PasteDeploy's names."""

    global_conf: dict[str, str]
    local_conf: dict[str, str]
    distribution: Any
    entry_point_name: str
    protocol: str = "paste.app_factory"

    def config(self) -> dict[str, str]:
        """Return global and local configuration in one."""
        return {**self.global_conf, **self.local_conf}


class Conf(dict[str, str]):
    """The configuration of one section: global and local options in one dictionary.

    Attributes:
        global_conf: the defaults, and the words of the command line.
        local_conf: the section's own options.
        context: where it comes from.
        filename: the INI, absolute.
    """

    def __init__(self, context: Context, filename: str) -> None:
        super().__init__(context.config())
        self.context = context
        self.global_conf = context.global_conf
        self.local_conf = context.local_conf
        self.filename = filename


def configuration(command: Command, filename: str, section: str) -> Any:
    """Return the ``conf`` of a section.

    Inside pastebox it is the one that the command was given; an installer that is called by
    other means gets PasteDeploy's own.
    """
    conf_for = getattr(command, "conf_for", None)
    if conf_for is not None:
        return conf_for(filename, section)
    from paste.deploy import appconfig  # noqa: PLC0415  # a foreign caller only

    conf = appconfig(f"config:{filename}", name=section.rpartition(":")[2])
    conf.filename = filename
    return conf


def run_websetups(
    installer: Any, command: Command, filename: str, section: str, variables: dict[str, Any]
) -> None:
    """Run ``setup_app`` or ``setup_config`` of each top-level package of the distribution.

    What they raise, and what importing them raises, passes through.
    """
    packages = packages_of(installer.dist.wrapped)
    found = [package for package in packages if has_module(package, WEBSETUP)]
    for package in found:
        module = import_module(f"{package}.{WEBSETUP}")
        if hasattr(module, "setup_app"):
            command.say(f"running setup_app() of {module.__name__}")
            installer._call_setup_app(module.setup_app, command, filename, section, variables)  # noqa: SLF001  # subclasses override it under this name
        elif hasattr(module, "setup_config"):
            command.say(f"running setup_config() of {module.__name__}")
            module.setup_config(command, filename, section, variables)
        else:
            command.say(f"{module.__name__} has neither setup_app() nor setup_config()")
    if not found:
        command.say(f"nothing to set up: {installer.dist.project_name} has no websetup")
