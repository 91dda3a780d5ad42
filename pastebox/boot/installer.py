"""The installer of an application: how its INI is made, and how it is set up.

The public names are those that ``paste.script.appinstall.Installer`` has, since applications
subclass it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pastebox.boot.command import Command
from pastebox.boot.distribution import InstalledDistribution
from pastebox.boot.template import Template, fill_in, find_template

Variables = dict[str, Any]


class Installer:
    """Make and set up one application of one distribution.

    Attributes:
        dist: the distribution, under importlib.metadata's and pkg_resources' names alike.
        ep_group: the entry point group of the application.
        ep_name: the name of its entry point.
        use_cheetah: render with Cheetah; only where Cheetah is installed.
        expect_config_directory: the INI is a directory of files; ``None``: either.
        default_config_filename: where make-config writes when it is not told.
    """

    use_cheetah = False
    expect_config_directory: bool | None = False
    default_config_filename: str | None = None

    def __init__(self, dist: InstalledDistribution, ep_group: str, ep_name: str) -> None:
        self.dist = dist
        self.ep_group = ep_group
        self.ep_name = ep_name

    def description(self, config: object) -> str:  # noqa: ARG002  # for subclasses
        """Say in one phrase what is installed."""
        return "An application"

    def write_config(self, command: Command, filename: str, vars: Variables) -> None:  # noqa: A002  # the public name
        """Write the INI."""
        command.ensure_file(filename, self.config_content(command, vars))

    def editable_config_files(self, filename: str) -> list[str] | None:
        """Return the files that a person should look at; ``None`` when that is not known."""
        return None if self.expect_config_directory else [filename]

    def config_content(self, command: Command, vars: Variables) -> str:  # noqa: A002  # the public name
        """Return the INI's text, from the application's template or the simple form.

        Raises:
            ConfigError: the template wants a value that nobody gave.
        """
        template = find_template(self.dist)
        if template is None:
            command.say(f"no template found in {self.dist.project_name}, using the simple form")
            return self.simple_config(vars)
        return self.template_renderer(template.text, vars, filename=template.file)

    def template_renderer(
        self,
        content: str,
        vars: Variables,  # noqa: A002  # the public name
        filename: str | None = None,
    ) -> str:
        """Fill the variables into a template's text."""
        renderer = _cheetah() if self.use_cheetah else None
        if renderer is not None:
            return renderer(content, vars)
        return fill_in(Template(content, filename or "template"), vars)

    def simple_config(self, vars: Variables) -> str:  # noqa: A002  # the public name
        """Return the shortest INI that serves the application."""
        name = "" if self.ep_name == "main" else f"#{self.ep_name}"
        return f"[app:main]\nuse = egg:{vars['project_name']}{name}\n"

    def setup_config(
        self,
        command: Command,
        filename: str,
        section: str,
        vars: Variables,  # noqa: A002  # the public name
    ) -> None:
        """Run the websetup of each top-level package that has one."""
        from pastebox.boot.websetup import run_websetups  # noqa: PLC0415  # not for make-config

        run_websetups(self, command, filename, section, vars)

    def _call_setup_app(
        self,
        func: Callable[..., object],
        command: Command,
        filename: str,
        section: str,
        vars: Variables,  # noqa: A002  # subclasses call it by this name
    ) -> None:
        """Call a ``setup_app(command, conf, vars)`` with the section's configuration."""
        from pastebox.boot.websetup import configuration  # noqa: PLC0415  # not for make-config

        func(command, configuration(command, filename, section), vars)


def _cheetah() -> Callable[[str, Variables], str] | None:
    try:
        from Cheetah.Template import (  # type: ignore[import-not-found] # noqa: PLC0415  # optional
            Template as CheetahTemplate,
        )
    except ImportError:
        return None

    def render(content: str, variables: Variables) -> str:
        return str(CheetahTemplate(content, searchList=[variables]))

    return render
