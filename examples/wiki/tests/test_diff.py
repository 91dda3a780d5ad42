"""A comparison shows what changed, and little else."""

from pastebox_wiki.diff import DiffLine, Kind, compare_texts


def flat(lines: list[DiffLine]) -> list[tuple[str, str]]:
    return [(line.kind.value, "".join(text for text, _ in line.pieces)) for line in lines]


def test_equal_texts_have_no_lines() -> None:
    assert compare_texts("a\nb\n", "a\nb\n") == []


def test_changed_lines_are_shown_with_three_around_and_the_rest_counted() -> None:
    old = "".join(f"line {number}\n" for number in range(20))
    lines = flat(compare_texts(old, old.replace("line 10", "something else")))
    assert lines == [
        ("skipped", "7 unchanged lines"),
        ("same", "line 7"),
        ("same", "line 8"),
        ("same", "line 9"),
        ("removed", "line 10"),
        ("added", "something else"),
        ("same", "line 11"),
        ("same", "line 12"),
        ("same", "line 13"),
        ("skipped", "6 unchanged lines"),
    ]


def test_the_words_that_differ_are_marked() -> None:
    removed, added = compare_texts("the cat sat down", "the dog sat down")
    assert removed == DiffLine(Kind.REMOVED, (("the ", False), ("cat", True), (" sat down", False)))
    assert added == DiffLine(Kind.ADDED, (("the ", False), ("dog", True), (" sat down", False)))


def test_lines_without_much_in_common_are_shown_whole() -> None:
    removed, added = compare_texts("abc def ghi", "123")
    assert removed.pieces == (("abc def ghi", False),)
    assert added.pieces == (("123", False),)


def test_from_nothing_and_to_nothing() -> None:
    assert flat(compare_texts("", "a\nb\n")) == [("added", "a"), ("added", "b")]
    assert flat(compare_texts("a\n", "")) == [("removed", "a")]


def test_long_lines_are_not_compared_word_by_word() -> None:
    removed, added = compare_texts("a b " * 20_000, "a c " * 20_000)
    assert len(removed.pieces) == len(added.pieces) == 1
