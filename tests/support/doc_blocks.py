"""The examples of a Markdown page: its fenced blocks, and how each of them is run.

The comment on the line before a fence says it; where there is none, the language does.

==============================  ===========================================================
``console``                     each ``$`` line is run; what follows is its output
``<!-- run: WORDS -->``         likewise; words: ``serve`` goes on in the background once it
                                listens, ``docker`` needs docker, ``both`` belongs to the
                                examples with and without docker, ``exit=N`` is the status
``<!-- file: NAME -->``         the block is written to a file
``<!-- append: NAME -->``       the block is added to a file
``<!-- log -->``                the lines must come in the log of the server that runs
``<!-- elsewhere: FILE -->``    that test runs it, for a reason that follows the file's name
``<!-- not run: REASON -->``    nobody runs it, and why
``text``, ``json``              output, for reading
==============================  ===========================================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

OUTPUT = frozenset({"text", "json"})
FILES = frozenset({"ini", "yaml", "dockerfile", "sh", "python"})
DIRECTIVES = frozenset({"{toctree}", "{note}", "{warning}", "{tip}", "{literalinclude}"})
RUN_WORDS = re.compile(r"serve|docker|both|exit=\d+")
_FENCE = re.compile(r"(?P<indent>\s*)(?P<mark>`{3,}|~{3,})(?P<info>.*)")
_COMMENT = re.compile(
    r"<!-- (?P<kind>run|file|append|elsewhere|not run|log)(?:: (?P<rest>.+))? -->"
)


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        line: of its fence.
        language: the first word of the fence.
        kind: ``run``, ``file``, ``append``, ``log``, ``elsewhere``, ``not run`` or ``output``.
        rest: what the comment says after its kind.
        text: the content.
    """

    line: int
    language: str
    kind: str
    rest: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of a ``run`` comment."""
        return self.rest.split() if self.kind == "run" else []


class Command(NamedTuple):
    """A command, as typed, and the lines that should come of it."""

    text: str
    output: list[str]


class BadExampleError(Exception):
    """A block that nobody would run, and nothing says why."""


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a page, in order.

    Raises:
        BadExampleError: a block is indented, has no language, or none of the kinds.
    """
    found: list[Block] = []
    lines = iter(enumerate(text.splitlines(), 1))
    before = ""
    for number, line in lines:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            before = line.strip() or before
            continue
        content = []
        for _, inner in lines:
            if inner.strip() == fence["mark"]:
                break
            content.append(inner)
        language = fence["info"].strip()
        if language.partition(" ")[0] in DIRECTIVES:
            continue
        if fence["indent"]:
            raise BadExampleError(f"line {number}: an indented block is not seen as one")
        found.append(_block(number, language, before, "\n".join(content)))
        before = ""
    return found


def _block(number: int, language: str, before: str, text: str) -> Block:
    comment = _COMMENT.fullmatch(before)
    if comment is None and before.startswith("<!--"):
        raise BadExampleError(f"line {number}: {before} says nothing that is known here")
    if comment is not None:
        kind, rest = comment["kind"], comment["rest"] or ""
    else:
        kind, rest = ("run", "") if language == "console" else ("output", "")
    block = Block(number, language, kind, rest, text)
    fault = _fault(block)
    if fault:
        raise BadExampleError(f"line {number}: {fault}")
    return block


def _fault(block: Block) -> str:
    kind, language = block.kind, block.language
    if language not in {*OUTPUT, *FILES, "console"}:
        return f'"{language}" is not a language that is known here'
    if kind == "output" and language not in OUTPUT:
        return f"a block of {language} says neither which file it is nor why it is not used"
    if kind == "run" and (language != "console" or "$ " not in block.text):
        return "a block that is run is a console with a $ line"
    if kind == "run" and not all(RUN_WORDS.fullmatch(word) for word in block.words):
        return f'"{block.rest}" is not a way to run it'
    if kind in ("file", "append", "elsewhere", "not run") and not block.rest:
        return f"{kind} says nothing"
    return ""


def commands_of(block: Block) -> list[Command]:
    """Return the commands of a console block; a line that ends in a backslash goes on."""
    found: list[Command] = []
    is_open = False
    for line in block.text.splitlines():
        if is_open:
            last = found.pop()
            found.append(Command(f"{last.text}\n{line}", []))
        elif line.startswith("$ "):
            found.append(Command(line[2:], []))
        else:
            found[-1].output.append(line)
        is_open = line.endswith("\\") and (is_open or line.startswith("$ "))
    return found


def matches(expected: list[str], actual: str) -> bool:
    """Whether a text is what was expected; ``...`` stands for anything, alone for any lines."""
    lines = [line.rstrip() for line in actual.strip("\n").splitlines()]
    return bool(re.fullmatch(_pattern(expected), "".join(f"{line}\n" for line in lines)))


def comes_in(expected: list[str], log: str) -> bool:
    """Whether the expected lines come in the log, in their order, with others between them."""
    return matches(["...", *(part for line in expected for part in (line, "..."))], log)


def _pattern(expected: list[str]) -> str:
    pieces = []
    for line in expected:
        if line.strip() == "...":
            pieces.append(r"(?:.*\n)*?")
        else:
            pieces.append(re.escape(line.rstrip()).replace(r"\.\.\.", ".*") + r"\n")
    return "".join(pieces)
