"""The documentation builds without a warning."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("sphinx", "myst_parser", "furo")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]


@pytest.mark.timeout(300)
@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}: make docs installs them")
def test_the_documentation_builds_without_a_warning(tmp_path):
    words = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html"]
    answer = subprocess.run(
        [*words, "-d", str(tmp_path / "trees"), str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (tmp_path / "html/index.html").is_file()
