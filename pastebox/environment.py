"""A value from the environment: a variable, or the file that its ``_FILE`` sister names."""

from collections.abc import Callable, Mapping

from pastebox.errors import ConfigError
from pastebox.option import Given


def from_environment(
    name: str, environ: Mapping[str, str], read_file: Callable[[str], str]
) -> Given | None:
    """Read ``name``, or the file that ``name_FILE`` names; both at once are refused.

    Raises:
        ConfigError: both are set, or the file cannot be read.
    """
    file_name = environ.get(f"{name}_FILE")
    if file_name is None:
        text = environ.get(name)
        return None if text is None else Given(text, f"environment {name}")
    if name in environ:
        raise ConfigError(
            f"{name} and {name}_FILE are both set, expected one of them",
            hint=f"unset {name}, or unset {name}_FILE",
        )
    return Given(read_file(file_name), f"file {file_name} ({name}_FILE)", file=file_name)


def read_value_file(path: str) -> str:
    """Return a file's text without its one trailing newline.

    Raises:
        ConfigError: the file cannot be read or is not text.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(
            f"cannot be read: {reason}", file=path, hint="check the mount and its permissions"
        ) from error
