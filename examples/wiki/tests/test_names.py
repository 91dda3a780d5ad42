"""Names are found however they are typed, and bad ones are explained."""

import pytest

from pastebox_wiki.names import name_problem, page_key, page_name, url_part


@pytest.mark.parametrize("text", ["Front Page", " front_page ", "FRONT  PAGE", "front\tpage"])
def test_spellings_of_a_name_have_one_key(text: str) -> None:
    assert page_key(text) == "front page"


def test_composed_and_decomposed_letters_are_one_name() -> None:
    assert page_name("u\u0308ber") == page_name("\u00fcber")


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", "a/b", "a|b", "a[b", "a#b", "a?b", "<a>", "a\x00b", "a\u202eb", "x" * 121],
)
def test_a_bad_name_is_explained(name: str) -> None:
    assert name_problem(name)


@pytest.mark.parametrize("name", ["A", "C++ & co.", "50 % off", "日本語", "x" * 120])
def test_a_good_name_has_no_problem(name: str) -> None:
    assert name_problem(name) is None


def test_url_part_escapes_all_but_letters() -> None:
    assert url_part("50 % a/b") == "50_%25_a%2Fb"
