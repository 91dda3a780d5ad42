"""The generated pages are those that the code of today makes, to the byte."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pastebox.cli.main import VERBS
from pastebox.errors import ExitCode
from pastebox.observe.counters import Counters
from pastebox.observe.metrics import render
from pastebox.observe.status import PHASES, Status
from pastebox.runners.registry import RUNNERS
from pastebox.settings import options

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs/reference"
GENERATED = ("settings.md", "exit-codes.md", "cli.md", "legacy-servers.md", "servers.md")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """What the generator writes today."""
    directory = tmp_path_factory.mktemp("docs") / "reference"
    words = [sys.executable, str(ROOT / "docs/generate.py"), str(directory)]
    subprocess.run(words, check=True, timeout=60)
    return directory


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_up_to_date(made, name):
    committed = (REFERENCE / name).read_bytes()
    assert committed == (made / name).read_bytes(), "run: python docs/generate.py"


def test_the_figures_beside_the_choice_are_up_to_date(made):
    name = "explanation/choosing-a-server.md"
    committed = (REFERENCE.parent / name).read_bytes()
    assert committed == (made.parent / name).read_bytes(), "run: python docs/generate.py"


def test_every_runner_has_its_section():
    text = (REFERENCE / "servers.md").read_text()
    assert [name for name in RUNNERS if f"\n### `{name}`\n" not in text] == []


def test_nothing_else_is_generated(made):
    assert sorted(path.name for path in made.iterdir()) == sorted(GENERATED)


def test_every_setting_exit_code_and_verb_is_there(made):
    settings, codes, verbs, *_ = ((made / name).read_text() for name in GENERATED)
    assert all(f"`{row.environment}`" in settings for row in options())
    assert all(f"| {int(code)} |" in codes for code in ExitCode)
    assert all(f"## {verb}\n" in verbs for verb in VERBS)


def test_every_metric_is_explained():
    """The page of the metrics is written by hand; it has the names that the health port shows."""
    status = Status()
    status.generation_ready(1)
    status.drain_started()
    status.drain_ended(0)
    status.counters = Counters(1)
    shown = set(re.findall(r"# TYPE (\w+) ", render(status.snapshot())))
    explained = set(re.findall(r"`(pastebox_\w+)`", (REFERENCE / "metrics.md").read_text()))
    assert explained == shown


def test_every_phase_is_explained():
    text = (REFERENCE / "health.md").read_text()
    assert [phase for phase in PHASES if f"| `{phase}` |" not in text] == []
