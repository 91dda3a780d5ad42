"""The argparse tree against the settings table and the table of verbs: neither can drift."""

import importlib

import pytest

from pastebox.cli import verbs
from pastebox.cli.main import VERBS, main
from pastebox.errors import UsageError
from pastebox.settings import options

VIA_TREE = sorted(set(VERBS) - {"serve", "health"})


def flags_of(verb):
    parser = verbs._verb_parser(verb)
    verbs._add_settings(parser)
    return parser


@pytest.mark.parametrize("row", options(), ids=lambda row: row.name)
def test_every_row_is_a_flag_with_its_text_and_default(row, capsys):
    parser = flags_of("serve")
    actions = {flag: action for action in parser._actions for flag in action.option_strings}
    assert row.flag in actions
    if row.name == "set":
        return
    text = actions[row.flag].help.replace("%%", "%")
    assert row.text in text
    if row.default is not None:
        assert f"(default {row.default})" in text


def test_no_flag_is_without_a_row():
    flags = {flag for action in flags_of("serve")._actions for flag in action.option_strings}
    assert flags - {"-h", "--help"} == {row.flag for row in options()}


@pytest.mark.parametrize("row", options(), ids=lambda row: row.name)
def test_serve_reads_each_flag(row):
    if row.name == "set":
        parsed = verbs.parse_serve(["--set", "app:main", "a=b"])
        assert parsed == (None, {}, {}, (("app:main", "a=b"),))
        return
    assert verbs.parse_serve(["app.ini", row.flag, "text"])[:2] == ("app.ini", {row.name: "text"})


def test_serve_reads_words_before_and_after_flags():
    argument, arguments, words, _ = verbs.parse_serve(["app.ini", "--port", "1", "a=b", "c=d=e"])
    assert (argument, dict(arguments)) == ("app.ini", {"port": "1"})
    assert words == {"a": "b", "c": "d=e"}


def test_serve_takes_words_without_an_ini():
    assert verbs.parse_serve(["a=b", "--port", "1"])[0] is None


@pytest.mark.parametrize(
    "argv", [["--prot", "1"], ["--por", "1"], ["a.ini", "b.ini", "--port", "1"]]
)
def test_serve_refuses_what_it_does_not_know(argv):
    with pytest.raises(UsageError):
        verbs.parse_serve(argv)


@pytest.mark.parametrize("verb", VIA_TREE)
def test_every_verb_has_a_module_with_arguments_and_run(verb):
    module = importlib.import_module(f"pastebox.cli.{verb.replace('-', '_')}")
    assert callable(module.add_arguments)
    assert callable(module.run)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"health"}))
def test_help_of_every_verb_lists_every_setting(verb, capsys):
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(row.flag in text for row in options())


def test_front_page_lists_every_verb(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert all(f"  {verb}" in text and line in text for verb, line in VERBS.items())
