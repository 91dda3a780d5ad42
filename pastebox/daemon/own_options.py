"""The options of ours in a program's section of supervisor's own files."""

import signal
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from pastebox.converters import FLAG, Converter, integer

_Value = TypeVar("_Value")
_COUNT = integer(0, 999_999_999)
_RETRIES = "3"
"""Supervisor's ``startretries`` where nothing is said."""


class OwnOptions(NamedTuple):
    """What a section says of a program beside supervisor's options.

    Attributes:
        essential: its end is the end of all, with its exit status.
        together: a word that essential programs share of which the last one's end ends all.
        restarts: how many restarts it has in ten minutes; supervisor's ``startretries`` by itself.
        reload_signal: the name of the signal that has it read its configuration again, or empty.
    """

    essential: bool = False
    together: str = ""
    restarts: int = int(_RETRIES)
    reload_signal: str = ""


def own_options(said: Callable[[str, str], str]) -> OwnOptions:
    """Read them by ``said(option, default)``, which returns the text of an option of the section.

    Raises:
        ValueError: one of them is wrong.
    """
    reload_signal = said("reload_signal", "")
    if reload_signal and not hasattr(signal, f"SIG{reload_signal}"):
        raise ValueError(f"value {reload_signal!r} for reload_signal is not a signal")
    return OwnOptions(
        _read(FLAG, "essential", said("essential", "false")),
        said("together", ""),
        _read(_COUNT, "restarts", said("restarts", said("startretries", _RETRIES))),
        reload_signal,
    )


def _read(converter: Converter[_Value], name: str, text: str) -> _Value:
    try:
        return converter.read(text)
    except ValueError:
        raise ValueError(f"value {text!r} for {name} is not {converter.expected}") from None
