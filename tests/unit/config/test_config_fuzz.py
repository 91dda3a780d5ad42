"""A few of the damaged INIs of tests/soak/fuzz_ini.py, and the whole ones they are made from."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from pastebox.errors import ConfigError

SCRIPT = Path(__file__).resolve().parents[2] / "soak" / "fuzz_ini.py"


def _load_script():
    spec = importlib.util.spec_from_file_location("fuzz_ini", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_ini"] = module
    spec.loader.exec_module(module)
    return module


fuzz = _load_script()
WHOLE = sorted(path.name for path in fuzz.CORPUS.glob("*.ini") if path.name != "overlay.ini")


@pytest.fixture
def bench(tmp_path):
    with fuzz.prepared(tmp_path / "bench") as bench:
        yield bench


def test_damaged_inis_end_in_an_application_or_in_a_sentence(bench):
    fuzz.run_mutated(bench, 300, seed=0)
    assert len(bench.outcomes) > 1


def test_made_up_inis_end_in_an_application_or_in_a_sentence(bench):
    fuzz.run_generated(bench, 150)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_inis_load_once_their_names_have_values(bench, name):
    environ = {"ALEMBIC_ONLY": "x"} if name == "pyramid.ini" else {}
    text = (fuzz.CORPUS / name).read_bytes()
    fragment = {"zope.ini": "#zope", "shared.ini": "#base"}.get(name, "")
    words = ["http_port=8080"]
    bench.run(text, environ=environ, words=words, fragment=fragment)
    refused = {kind: count for kind, count in bench.outcomes.items() if kind != "fine"}
    # Only the server differs: the bench knows waitress alone.
    assert sum(refused.values()) <= 1 + (name == "ckan.ini"), refused


def test_the_net_catches_what_it_is_made_for(bench, monkeypatch):
    """An exception that is not ours, an error without a sentence, a changed directory."""
    text = "[app:main]\nuse = egg:Fuzz-App\n"
    with monkeypatch.context() as patched:
        patched.setattr(fuzz, "lint", lambda *_: {}["x"])
        with pytest.raises(KeyError):
            bench.run(text)

    def silent(*_):
        raise ConfigError

    with monkeypatch.context() as patched:
        patched.setattr(fuzz, "lint", silent)
        with pytest.raises(AssertionError, match="says nothing"):
            bench.run(text)
    with monkeypatch.context() as patched:
        patched.setattr(fuzz, "lint", lambda *_: (bench.etc / "torn.ini.tmp").touch())
        with pytest.raises(AssertionError, match="has changed"):
            bench.run(text)
    with monkeypatch.context() as patched:
        patched.setattr(fuzz, "LONGEST_S", 0.05)
        patched.setattr(fuzz, "lint", lambda *_: [None for _ in iter(int, 1)])
        with pytest.raises(fuzz.StuckError):
            bench.run(text)
