"""Excerpts show the place that was found, in whole words."""

from pastebox_wiki.searching import make_excerpt, search_words

LONG = "alpha beta gamma " * 20


def test_a_short_text_is_shown_whole() -> None:
    assert make_excerpt("one Two three", ["two"]) == (
        ("one ", False),
        ("Two", True),
        (" three", False),
    )


def test_a_long_text_is_cut_between_words() -> None:
    before, hit, after = make_excerpt(f"{LONG}needle {LONG}", ["NEEDLE"])
    assert hit == ("needle", True)
    words = {"…", "alpha", "beta", "gamma"}
    assert set(before[0].split()) == set(after[0].split()) == words
    assert len(before[0]) < 100
    assert len(after[0]) < 100


def test_a_page_found_by_its_name_shows_its_beginning() -> None:
    ((text, is_hit),) = make_excerpt(LONG, ["other"])
    assert text.startswith("alpha beta")
    assert text.endswith(" …")
    assert not is_hit


def test_letters_that_grow_when_lowered_do_not_shift_the_place() -> None:
    assert make_excerpt("İİİ needle", ["needle"])[1] == ("needle", True)


def test_no_more_than_eight_words_are_looked_for() -> None:
    assert search_words(" a\0b " * 20) == ["a", "b"] * 4
