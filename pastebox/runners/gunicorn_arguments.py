"""What gunicorn's users say beside the INI: ``GUNICORN_CMD_ARGS``, and a file in the directory.

The variable is read as gunicorn reads it, and is stronger than the INI. A ``gunicorn.conf.py`` is a
program, which the master does not run, and is refused instead of being passed over in silence.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any, NoReturn

from pastebox.config.model import Origin, ServerSpec
from pastebox.errors import ConfigError
from pastebox.runners.options import refusal

VARIABLE = "GUNICORN_CMD_ARGS"
FILE = "gunicorn.conf.py"


def with_arguments(spec: ServerSpec, environ: Mapping[str, str], config: Any) -> ServerSpec:
    """Return the server with the variable's settings as options of its own.

    An address that pastebox's own settings give is stronger still.

    Raises:
        ConfigError: gunicorn does not know them.
    """
    given = _parsed(environ.get(VARIABLE, ""), config)
    if not given:
        return spec
    options, origins = dict(spec.options), dict(spec.origins)
    if "bind" in given:
        if any(name in origins and not origins[name].file for name in ("host", "port")):
            del given["bind"]
        else:
            for name in ("host", "port"):
                options.pop(name, None)
    for name, value in given.items():
        options[name] = "\n".join(value) if isinstance(value, list) else str(value)
        origins[name] = Origin(f"{VARIABLE} --{name.replace('_', '-')}")
    return spec._replace(options=options, origins=origins)


def refuse_file(spec: ServerSpec) -> None:
    """Have nobody believe that a ``gunicorn.conf.py`` here is read.

    Raises:
        ConfigError: there is one, and no empty ``config`` says that it is known.
    """
    if "config" not in spec.options and os.path.exists(FILE):
        raise refusal(
            spec,
            "config",
            f"{os.path.abspath(FILE)} is not read",
            hint=f"write its settings in this section or in {VARIABLE}; an empty config = lets"
            " it stand there",
        )


def _parsed(text: str, config: Any) -> dict[str, Any]:
    if not text.strip():
        return {}
    parser = config.parser()

    def refuse(message: str) -> NoReturn:
        hint = "the arguments of gunicorn's command line, without the application"
        raise ConfigError(f"gunicorn refuses it: {message}", option=VARIABLE, hint=hint)

    parser.error = refuse
    try:
        values = vars(parser.parse_args(shlex.split(text)))
    except ValueError as error:  # a quotation mark is missing
        refuse(str(error))
    except SystemExit:  # --help and --version are over with it
        refuse("it asks for help or the version only")
    if values.pop("args", None):
        refuse("it names an application")
    return {name: value for name, value in values.items() if value is not None}
