"""Find the INI: the argument, ``PASTEBOX_INI``, or the only one in the mounted directory."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from pastebox.config.model import ConfigSpec
from pastebox.config.text import read_text
from pastebox.errors import ConfigError, NoPermissionError, UsageError
from pastebox.settings import Settings

ETC_DIR = "/etc/pastebox"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(.*)", re.DOTALL)
_RESERVED = ("here", "__file__")


class Located(NamedTuple):
    """What was found, and every place that was looked at.

    ``spec`` is ``None`` when nobody named an INI and none was found: first boot may make one.
    """

    spec: ConfigSpec | None
    looked_at: tuple[str, ...]


def locate(
    argument: str | None,
    settings: Settings,
    *,
    environ: Mapping[str, str],  # noqa: ARG001  # part of the interface; nothing else decides
    cwd: str,
    etc_dir: str = ETC_DIR,
) -> Located:
    """Decide which INI is served.

    Args:
        argument: the first word of the command line: a path, ``file.ini#section``,
            ``config:…`` or ``egg:…``.
        settings: the ``ini`` row of it.
        environ: the process environment; ``PASTE_CONFIG_FILE`` is not consulted.
        cwd: the directory that relative paths are relative to.
        etc_dir: the mounted directory.

    Raises:
        ConfigError: the named INI is not there or not a file, or there are several to choose from.
        NoPermissionError: it may not be read.
    """
    if argument is not None:
        return _named(argument, "argument", cwd)
    given = settings.given("ini")
    if settings.ini is not None and given is not None:
        return _named(settings.ini, given.origin, cwd)
    looked_at = ("argument: none", "PASTEBOX_INI: not set", f"{etc_dir}/*.ini")
    names = ini_names(etc_dir)
    if len(names) > 1:
        raise ConfigError(
            file=etc_dir,
            found=f"{len(names)} INI files: {', '.join(names)}",
            expected="one",
            hint=f"choose one: PASTEBOX_INI={os.path.join(etc_dir, names[0])}",
        )
    if not names:
        _refuse_instances(settings)
        return Located(None, looked_at)
    path = os.path.join(etc_dir, names[0])
    read_text(path)
    return Located(ConfigSpec("config", path, "main", f"the only *.ini in {etc_dir}"), looked_at)


def parse_spec(text: str, origin: str, cwd: str) -> ConfigSpec:
    """Read ``file.ini#section``, ``config:…`` or ``egg:…``; nothing is opened.

    Raises:
        ConfigError: the scheme is unknown, or nothing stands behind it.
    """
    path, name = text.strip(), ""
    match = _SCHEME.fullmatch(path)
    scheme = match[1].lower() if match else "config"
    if match:
        path = match[2]
    if scheme not in {"config", "egg"}:
        raise ConfigError(
            f"{origin}: unknown scheme",
            found=f'"{scheme}:"',
            expected="a path, config:PATH or egg:DISTRIBUTION",
            hint=f"a file of that name is written as ./{text}",
        )
    if not (scheme == "config" and os.path.exists(os.path.join(cwd, path.replace("\0", "")))):
        path, _, name = path.partition("#")
    if not path or "\0" in path:
        raise ConfigError(
            f"{origin}: names no file", found=f"{text!r}", expected="a path, or egg:DISTRIBUTION"
        )
    if scheme == "config":
        path = os.path.abspath(os.path.join(cwd, unquote(path) if match else path))
    return ConfigSpec(scheme, path, name.strip() or "main", origin)


def parse_words(words: Sequence[str]) -> dict[str, str]:
    """Read the ``name=value`` words of a command line.

    Raises:
        UsageError: a word is not of that form, or names what the file's place decides.
    """
    variables = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise UsageError(found=f'"{word}"', expected="a variable as name=value")
        if name.strip() in _RESERVED:
            raise UsageError(
                f"{name.strip()} is the place of the INI and cannot be set",
                hint="choose another name for the variable",
            )
        variables[name.strip()] = value
    return variables


def _named(text: str, origin: str, cwd: str) -> Located:
    spec = parse_spec(text, origin, cwd)
    if spec.scheme == "config":
        read_text(spec.path)
    return Located(spec, (f"{origin}: {text}",))


def _refuse_instances(settings: Settings) -> None:
    """Refuse to make an INI where there are some that this mode does not serve."""
    directory = settings.instances_dir
    if settings.mode == "foreground" and ini_names(directory):
        raise ConfigError(
            file=directory,
            found="instances, and no INI beside them",
            expected="PASTEBOX_MODE=daemon, which serves them",
            hint="or name one of them: PASTEBOX_INI="
            + os.path.join(directory, ini_names(directory)[0]),
        )


def ini_names(directory: str) -> list[str]:
    """Return the names of the INI files in a directory, sorted; none where it is not there.

    Raises:
        NoPermissionError: it may not be read.
    """
    try:
        return sorted(
            name
            for name in os.listdir(directory)
            if name.endswith(".ini") and not name.startswith(".")
        )
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError as error:
        from pastebox.config.text import permission_hint  # noqa: PLC0415  # only this refusal

        raise NoPermissionError(
            "may not be read", file=directory, hint=permission_hint(directory)
        ) from error
