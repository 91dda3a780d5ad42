"""The same sources make the same image, bit for bit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("Dockerfile", ".dockerignore", "Makefile", "pyproject.toml", "README.md", "LICENSE")


@pytest.mark.timeout(600)
def test_a_second_build_without_any_cache_is_the_same(make_image, docker, tmp_path):
    """Two checkouts of other dates and modes; identity is the digest of all layers and settings."""
    identities = []
    for number, mode in enumerate((0o644, 0o664)):
        tree = tmp_path / f"checkout{number}"
        if number == 0:
            _copy(ROOT, tree)
        else:
            _copy(tmp_path / "checkout0", tree)
        for path in tree.rglob("*.py"):
            path.chmod(mode)
            path.touch()
        flags = "--no-cache" if number else ""
        tag = make_image(f"pastebox:test-same-{number}", flags, tree=tree, EPOCH="1700000000")
        identities.append(docker("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", tag))
    assert identities[0] == identities[1]


def _copy(source: Path, target: Path) -> None:
    target.mkdir()
    for name in SOURCES:
        shutil.copyfile(source / name, target / name)
    for name in ("pastebox", "entrypoint"):
        shutil.copytree(source / name, target / name, copy_function=shutil.copyfile)
