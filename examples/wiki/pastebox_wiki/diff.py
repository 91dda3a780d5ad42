"""Compare two texts line by line, and changed lines word by word."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import zip_longest

_CONTEXT = 3
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_MAX_WORD_PAIRS = 1_000_000  # comparing words takes time in proportion to this
_SIMILAR = 0.3  # below this share, marking single words says less than the whole line


class Kind(Enum):
    """What became of a line."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison in pieces: text, and whether just that piece differs."""

    kind: Kind
    pieces: tuple[tuple[str, bool], ...]


def compare_texts(old: str, new: str) -> list[DiffLine]:
    """Return the lines that differ with three lines around them; empty for equal texts."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[DiffLine] = []
    reached = 0
    for group in SequenceMatcher(None, before, after).get_grouped_opcodes(_CONTEXT):
        start, end = group[0][1], group[-1][2]
        lines += _skipped(start - reached)
        reached = end
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [_whole(Kind.SAME, line) for line in before[i1:i2]]
            else:
                lines += _changed(before[i1:i2], after[j1:j2])
    return lines + _skipped(len(before) - reached) if lines else lines


def _skipped(count: int) -> list[DiffLine]:
    """Return the line that stands for lines left out, if there are any."""
    unit = "line" if count == 1 else "lines"
    return [_whole(Kind.SKIPPED, f"{count} unchanged {unit}")] if count > 0 else []


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    """Yield the removed lines, then the added ones, each compared with its counterpart."""
    removed, added = [], []
    for before, after in zip_longest(old, new):
        if before is None:
            added.append(_whole(Kind.ADDED, after))
        elif after is None:
            removed.append(_whole(Kind.REMOVED, before))
        else:
            left, right = _compare_words(before, after)
            removed.append(DiffLine(Kind.REMOVED, left))
            added.append(DiffLine(Kind.ADDED, right))
    yield from removed
    yield from added


def _compare_words(old: str, new: str) -> tuple[tuple[tuple[str, bool], ...], ...]:
    """Return both lines in pieces, with the words that only one of them has marked."""
    before, after = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if len(before) * len(after) > _MAX_WORD_PAIRS or matcher.quick_ratio() < _SIMILAR:
        return ((old, False),), ((new, False),)
    left, right = [], []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        differs = tag != "equal"
        if i2 > i1:
            left.append(("".join(before[i1:i2]), differs))
        if j2 > j1:
            right.append(("".join(after[j1:j2]), differs))
    return tuple(left), tuple(right)


def _whole(kind: Kind, text: str) -> DiffLine:
    """Return a line in one piece."""
    return DiffLine(kind, ((text, False),))
