"""Five wikis from one installation: five INIs, five databases, none sees another's pages."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from app_process import clean_environ
from wiki_reader import assert_apart

COUNT = 5

pytestmark = pytest.mark.process


@pytest.fixture
def inis(tmp_path):
    """Five INIs in five directories, made by the command that people use."""
    texts = {}
    for number in range(COUNT):
        directory = tmp_path / f"wiki{number}"
        directory.mkdir()
        words = ["make-config", "pastebox-wiki", "app.ini", "--no-interactive"]
        subprocess.run(
            [sys.executable, "-m", "pastebox.cli.main", *words],
            cwd=directory,
            env=clean_environ(directory, {}),
            check=True,
            capture_output=True,
        )
        texts[directory] = (directory / "app.ini").read_text()
    return texts


def test_none_sees_anothers_pages_or_secret(start, inis):
    secrets = {
        re.search(r"^session\.secret = (\S+)$", ini, re.MULTILINE)[1] for ini in inis.values()
    }
    assert len(secrets) == COUNT
    settings = {"PASTEBOX_SETUP": "auto", "PASTEBOX_HOST": "127.0.0.1", "PASTEBOX_PORT": "0"}
    wikis = [
        start(directory=directory, code=None, ini=ini, **settings)
        for directory, ini in inis.items()
    ]
    for wiki in wikis:
        wiki.wait_listening()
    assert_apart([f"http://127.0.0.1:{wiki.port}" for wiki in wikis])
    assert [wiki.stop() for wiki in wikis] == [0] * COUNT
    for directory in inis:
        assert (directory / "wiki.db").stat().st_size > 0
