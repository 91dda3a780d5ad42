"""A few of the damaged messages of tests/soak/fuzz_codecs.py, and the whole ones."""

import importlib.util
import sys
from pathlib import Path

import pytest

from pastebox.health.http import ProtocolError

SCRIPT = Path(__file__).resolve().parents[1] / "soak" / "fuzz_codecs.py"


def load_script():
    spec = importlib.util.spec_from_file_location("fuzz_codecs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_codecs"] = module
    spec.loader.exec_module(module)
    return module


fuzz = load_script()


@pytest.mark.parametrize("name", sorted(fuzz.CODECS))
def test_damaged_messages_end_in_an_answer_or_in_a_sentence(name):
    counts = fuzz.run(name, 2000, seed=0)
    assert counts["read"] > 100
    assert counts["refused"] > 100


@pytest.mark.parametrize("name", sorted(fuzz.CODECS))
def test_each_whole_message_is_read_by_one_side(name):
    corpus, readers = fuzz.CODECS[name]
    for message in corpus:
        found = [fuzz.outcome(read, [message]) for read in readers]
        assert any(one is not ProtocolError for one in found), message
