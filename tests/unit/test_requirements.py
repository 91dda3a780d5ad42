"""A ring that cannot run is skipped aloud, and fails where it is required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def run_pytest(tmp_path):
    """Run one image test, under this project's conftest, on a machine without docker."""
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_one.py").write_text(
        "import os, pytest\n"
        "@pytest.mark.image\n"
        "def test_image(): pass\n"
        "def test_environment(): assert 'PASTEBOX_PORT' not in os.environ\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = image: needs docker\n")

    def run(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
            env={**os.environ, "PATH": str(tmp_path), "PASTEBOX_PORT": "1", **environ},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_missing_part_is_skipped_with_its_reason(run_pytest):
    answer = run_pytest(PASTEBOX_REQUIRE="")
    assert answer.returncode == 0, answer.stdout
    assert "1 passed, 1 skipped" in answer.stdout
    assert "not run: 1 tests, needs docker: docker is not installed" in answer.stdout


def test_a_missing_part_that_is_required_fails(run_pytest):
    answer = run_pytest(PASTEBOX_REQUIRE="docker")
    assert answer.returncode == 1, answer.stdout
    assert "PASTEBOX_REQUIRE names docker, but docker is not installed" in answer.stdout


def test_an_unknown_requirement_is_refused(run_pytest):
    answer = run_pytest(PASTEBOX_REQUIRE="dokcer")
    assert answer.returncode == 4, answer.stdout
    known = "apache2, attestations, bindfs, caddy, chromium, cluster, devcontainer, docker"
    assert f"found dokcer, expected some of {known}" in answer.stderr
