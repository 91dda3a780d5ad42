"""An application's INI template: where it is found, and how it is filled in."""

import os
import string
from collections.abc import Mapping
from typing import NamedTuple

from pastebox.boot.distribution import InstalledDistribution
from pastebox.boot.packages import directories_of, packages_of
from pastebox.errors import ConfigError

IN_PACKAGE = os.path.join("config", "deployment.ini_tmpl")
IN_METADATA = "paste_deploy_config.ini_tmpl"


class Template(NamedTuple):
    """The text of a template and where it came from."""

    text: str
    file: str


def find_template(distribution: InstalledDistribution) -> Template | None:
    """Return the first ``config/deployment.ini_tmpl`` of its packages, else the one in metadata."""
    for package in packages_of(distribution.wrapped):
        for directory in directories_of(package):
            path = os.path.join(directory, IN_PACKAGE)
            if os.path.isfile(path):
                with open(path, encoding="utf-8") as file:
                    return Template(file.read(), path)
    text = distribution.wrapped.read_text(IN_METADATA)
    return None if text is None else Template(text, f"{distribution.project_name}: {IN_METADATA}")


def fill_in(template: Template, variables: Mapping[str, object]) -> str:
    """Replace ``$name`` and ``${name}``; ``$$`` is a dollar, ``%(here)s`` stays.

    Raises:
        ConfigError: a lone dollar, or names without a value, all of them at once.
    """
    missing: dict[str, int] = {}
    for found in string.Template.pattern.finditer(template.text):
        line = template.text.count("\n", 0, found.start()) + 1
        if found["invalid"] is not None:
            raise ConfigError(
                file=template.file,
                line=line,
                found="a lone $",
                expected="$name, ${name}, or $$ for a dollar",
            )
        name = found["named"] or found["braced"]
        if name and name not in variables:
            missing.setdefault(name, line)
    if missing:
        words = " ".join(f"{name}=VALUE" for name in missing)
        raise ConfigError(
            f"the template wants a value for {', '.join(missing)}",
            file=template.file,
            line=min(missing.values()),
            hint=f"give it as a word on the command line: {words}",
        )
    return string.Template(template.text).substitute(variables)
