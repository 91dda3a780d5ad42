"""Every command and every INI of README and docs is run, or says in its page why it is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doc_blocks import BadExampleError, Block, blocks_of, comes_in, commands_of, matches
from doc_sandbox import ROOT, Sandbox

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
WITH_DOCKER = ("docker", "both")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _is_local(block: Block) -> bool:
    return block.kind == "run" and "docker" not in block.words


def _is_docker(block: Block) -> bool:
    return block.kind == "run" and "docker" in block.words


def _with(kind: str) -> list[Path]:
    wanted = _is_docker if kind == "docker" else _is_local
    return [page for page in PAGES if any(wanted(block) for block in blocks_of(page.read_text()))]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels that ``pip install`` in an example finds, instead of an index."""
    directory = tmp_path_factory.mktemp("wheels")
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(directory)]
    what = [str(ROOT), str(ROOT / "examples/wiki"), "hatchling"]
    subprocess.run([*words, *what], check=True, timeout=300)
    return directory


@pytest.fixture(scope="session")
def image() -> str:
    """The image of the working tree; ``PASTEBOX_TEST_IMAGE`` names one that is already built."""
    ready = os.environ.get("PASTEBOX_TEST_IMAGE")
    if not ready:
        words = ["make", "--no-print-directory", "-C", str(ROOT), "image", "IMAGE=pastebox:docs"]
        answer = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
    return ready or "pastebox:docs"


@pytest.fixture(scope="session")
def build_flags() -> list[str]:
    """How a build on this machine reaches its package index."""
    words = ["make", "--no-print-directory", "-C", str(ROOT), "build-secrets"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


def _take(sandbox: Sandbox, blocks: list[Block], skipped: str) -> None:
    try:
        for block in blocks:
            if block.kind == "log" and not sandbox.servers:
                continue  # the server runs on the other side
            if block.kind in ("file", "append", "log") or (
                block.kind == "run" and (skipped not in block.words)
            ):
                sandbox.take(block)
    finally:
        sandbox.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", _with("local"), ids=_name)
def test_the_examples_of_a_page_do_what_it_says(page, tmp_path, request):
    if shutil.which("curl") is None:
        pytest.skip("needs curl: curl is not installed")
    text = page.read_text()
    wheels = request.getfixturevalue("wheels") if "pip install" in text else None
    sandbox = Sandbox(tmp_path, text, wheels=wheels)
    blocks = [block for block in blocks_of(text) if not _is_docker(block)]
    _take(sandbox, blocks, "docker")
    assert set(sandbox.statuses()) <= {0}


@pytest.mark.image
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", _with("docker"), ids=_name)
def test_the_docker_examples_of_a_page_do_what_it_says(page, tmp_path, image, build_flags):
    text = page.read_text()
    tmp_path.chmod(0o755)
    sandbox = Sandbox(tmp_path, text, image=image, build_flags=build_flags)
    blocks = [
        block
        for block in blocks_of(text)
        if block.kind != "run" or set(WITH_DOCKER) & set(block.words)
    ]
    _take(sandbox, blocks, "")
    assert set(sandbox.statuses()) <= {0}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_is_run_or_says_why_not(page):
    for block in blocks_of(page.read_text()):
        if block.kind == "elsewhere":
            test = re.split(r"[:,\s]", block.rest)[0]
            assert (ROOT / test).is_file(), f"{page}:{block.line}: there is no {test}"
        if block.kind == "not run":
            assert len(block.rest.split()) >= 3, f"{page}:{block.line}: no reason is given"


def test_what_is_not_run_is_few(record_property):
    """The list is part of the report of the run; a longer one has to be meant."""
    found = [
        f"{_name(page)}:{block.line} {block.kind}: {block.rest}"
        for page in PAGES
        for block in blocks_of(page.read_text())
        if block.kind in ("not run", "elsewhere")
    ]
    for line in found:
        record_property("not run", line)
        print(line)
    assert sum(" not run: " in line for line in found) <= 6, found


def test_every_link_of_the_readme_leads_somewhere():
    """Sphinx looks at the links of docs, not at these."""
    text = (ROOT / "README.md").read_text()
    headings = {
        re.sub(r"[^a-z0-9-]", "", line.lstrip("# ").lower().replace(" ", "-"))
        for line in text.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert path or anchor in headings, target


# -- the extractor itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("```\nls\n```", "not a language", id="no language"),
        pytest.param("```bash\nls\n```", "not a language", id="another language"),
        pytest.param("```ini\n[a]\n```", "neither which file", id="a file without a name"),
        pytest.param("```console\nls\n```", "a console with a $ line", id="no command"),
        pytest.param("<!-- runs -->\n```console\n$ ls\n```", "nothing that is known", id="a typo"),
        pytest.param("  ```console\n  $ ls\n  ```", "indented", id="indented"),
        pytest.param("<!-- run: later -->\n```console\n$ ls\n```", "not a way", id="unknown way"),
    ],
)
def test_a_block_that_nobody_would_run_is_refused(text, fault):
    with pytest.raises(BadExampleError, match=re.escape(fault)):
        blocks_of(text)


def test_a_block_knows_how_it_is_run():
    text = "x\n\n<!-- run: docker exit=78 -->\n```console\n$ a \\\n  b\nout\n$ c\n```\n"
    (block,) = blocks_of(text)
    assert block.words == ["docker", "exit=78"]
    assert commands_of(block) == [("a \\\n  b", ["out"]), ("c", [])]


def test_a_comment_belongs_to_the_next_line_only():
    (block,) = blocks_of("<!-- file: a.ini -->\ntext\n```console\n$ ls\n```\n")
    assert block.kind == "run"


@pytest.mark.parametrize(
    ("expected", "actual", "is_match"),
    [
        pytest.param(["a"], "a\n", True, id="same"),
        pytest.param(["a"], "a\nb\n", False, id="more"),
        pytest.param(["a", "..."], "a\nb\nc\n", True, id="any lines"),
        pytest.param(["a ... c"], "a b c", True, id="any text"),
        pytest.param(["a.c"], "abc", False, id="a dot is a dot"),
    ],
)
def test_output_is_compared_loosely(expected, actual, is_match):
    assert matches(expected, actual) is is_match


def test_lines_of_a_log_come_in_their_order():
    assert comes_in(["... two", "... four"], "1 one\n2 two\n3 three\n4 four\n")
    assert not comes_in(["... four", "... two"], "1 one\n2 two\n3 three\n4 four\n")


@pytest.fixture
def sandbox(tmp_path) -> Iterator[Sandbox]:
    """A sandbox of a page without examples."""
    one = Sandbox(tmp_path, "")
    yield one
    one.close()


def test_a_command_that_fails_fails_its_page(sandbox):
    (block,) = blocks_of("```console\n$ false\n```")
    with pytest.raises(pytest.fail.Exception, match="expected status 0"):
        sandbox.take(block)


def test_a_command_before_the_last_may_not_fail_either(sandbox):
    (block,) = blocks_of("<!-- run: exit=3 -->\n```console\n$ exit 3\n$ exit 3\n```")
    with pytest.raises(pytest.fail.Exception, match="expected status 0"):
        sandbox.take(block)


def test_other_output_fails_its_page(sandbox):
    (block,) = blocks_of("```console\n$ echo one\ntwo\n```")
    with pytest.raises(pytest.fail.Exception, match="expected\ntwo"):
        sandbox.take(block)


def test_the_ports_that_people_read_are_replaced(sandbox):
    file, command = blocks_of(
        "<!-- file: a.ini -->\n```ini\nport = 8080\n```\n"
        "```console\n$ test \"$(cat a.ini)\" != 'port = 80'80\n```\n"
    )
    sandbox.take(file)
    sandbox.take(command)
