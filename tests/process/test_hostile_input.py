"""A hundredth of tests/soak/fuzz_servers.py: hostile input to a server of every runner."""

import importlib.util
import sys
from pathlib import Path

import pytest
from contract_cases import CASES, need

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).resolve().parents[1] / "soak" / "fuzz_servers.py"


def load_script():
    spec = importlib.util.spec_from_file_location("fuzz_servers", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_servers"] = module
    spec.loader.exec_module(module)
    return module


fuzz = load_script()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_server_goes_on_and_nothing_grows(case, tmp_path):
    need(case)
    figures, faults = fuzz.run(case, 100, 0, tmp_path)
    assert not faults, figures
