"""Readers of setting texts: each says what it expects, and refuses everything else."""

import re
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Converter(NamedTuple, Generic[T]):
    """A reader of text: what it expects, in words, and the function that reads it.

    The function raises ``ValueError`` for text that is not what is expected.
    """

    expected: str
    read: Callable[[str], T]
    choices: tuple[str, ...] = ()


def one_of(*words: str) -> Converter[str]:
    """Accept exactly one of ``words``."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return Converter("one of " + ", ".join(words), read, words)


def integer(least: int, most: int) -> Converter[int]:
    """Accept a decimal number in a closed range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return Converter(f"a number from {least} to {most}", read)


def _read_port(text: str) -> int | None:
    return None if text == "off" else PORT.read(text)


def _read_seconds(text: str) -> float:
    """Read ``20``, ``20s``, ``500ms``, ``5m`` or ``1h30m`` as seconds."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
    if not re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+|[0-9]+(?:\.[0-9]+)?", text):
        raise ValueError
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)", text)
    return sum(float(number) * units[unit] for number, unit in parts)


def _read_flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def _read_text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _read_worker_count(text: str) -> int:
    """Read a number of workers; ``auto`` is 0."""
    return 0 if text == "auto" else integer(1, 512).read(text)


def _read_words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


PORT = integer(0, 65535)
WORKER_COUNT = Converter("a number from 1 to 512, or auto", _read_worker_count)
TEXT = Converter("a text that is not empty", _read_text)
SECONDS = Converter("a duration such as 20, 20s, 500ms or 1h30m", _read_seconds)
FLAG = Converter("on or off", _read_flag)
WORDS = Converter("words separated by commas or spaces", _read_words)
PORT_OR_OFF = Converter("a number from 0 to 65535, or off", _read_port)
