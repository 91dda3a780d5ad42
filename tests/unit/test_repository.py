"""Rules about the tree itself: numbers and names that are written twice stay the same."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pastebox.cli.main import VERBS
from pastebox.settings import SECONDS, Settings

ROOT = Path(__file__).parents[2]
MOST_LINES = 350
# Put together here, so that this file does not hold what it looks for.
FOREIGN = re.compile(
    "|".join(
        [
            re.escape("pypi" + ".org"),
            "python" + "hosted",
            re.escape("deb.debian" + ".org"),
            re.escape("registry.npm" + "js"),
            "(?<![A-Za-z0-9_.*])/(?:work" + "|farm)/",
            "/tmp/bash" + "_jobs",
        ]
    )
)


class _Compose(yaml.SafeLoader):
    """Reads Compose's own tags as the values below them."""


def _untagged(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return None


_Compose.add_multi_constructor("!", _untagged)


def compose(name: str) -> dict[str, dict]:
    """Return the services of a Compose file."""
    return yaml.load((ROOT / name).read_text(), Loader=_Compose)["services"]


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git knows, or would add."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns]
    listing = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout", allow_module_level=True)
    names = listing.stdout.decode().split("\0")
    return [path for path in (ROOT / name for name in names if name) if path.is_file()]


def test_compose_waits_for_the_whole_drain():
    """The grace period is the drain delay, the drain timeout, and 5 s for pastebox itself."""
    wiki = compose("compose.yaml")["wiki"]
    drain = sum(
        SECONDS.read(wiki["environment"].get(option.environment, option.default))
        for option in (Settings.drain_delay, Settings.drain_timeout)
    )
    assert SECONDS.read(wiki["stop_grace_period"]) == drain + 5


def test_the_sqlite_override_leaves_the_drain_alone():
    wiki = compose("compose.sqlite.yaml")["wiki"]
    assert "stop_grace_period" not in wiki
    assert not any("DRAIN" in name for name in wiki["environment"])


def test_compose_for_development_waits_for_the_drain_as_well():
    most = compose("compose.yaml")["wiki"]["stop_grace_period"]
    assert {one["stop_grace_period"] for one in compose("compose.dev.yaml").values()} == {most}


def test_compose_names_only_settings_that_exist():
    known = {row.environment for row in vars(Settings).values() if hasattr(row, "environment")}
    for name in ("compose.yaml", "compose.sqlite.yaml"):
        given = set(compose(name)["wiki"]["environment"])
        assert {name for name in given if name.startswith("PASTEBOX_")} <= known


def test_the_image_names_only_settings_that_exist():
    known = {row.environment for row in vars(Settings).values() if hasattr(row, "environment")}
    for path in tracked("*Dockerfile"):
        names = re.findall(r"^(?:ENV|   ) +(PASTEBOX_[A-Z_]+)=", path.read_text(), re.MULTILINE)
        assert set(names) <= known, path


def test_the_entrypoint_knows_every_verb():
    text = (ROOT / "entrypoint/docker-entrypoint.sh").read_text()
    found = re.search(r"^  (serve \|[^)]*)\)", text, re.MULTILINE)
    assert found
    assert set(found[1].split(" | ")) == set(VERBS)


def test_the_images_differ_in_nothing_that_both_have():
    """A stage on ``scratch`` inherits nothing: it says the same again, but for the shell."""
    stages = re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text())
    said = {}
    for stage in stages:
        name = re.match(r"\S+ AS (\S+)", stage)
        if name and name[1] in {"standard", "slim"}:
            text = stage[stage.index("\nENV ") :]
            text = re.sub(r"(?m)^(#.*|ENV PATH=.*|    PIP_.*)\n", "", text)
            said[name[1]] = text.replace("docker-entrypoint.py", "docker-entrypoint.sh")
    assert said["slim"].split() == said["standard"].split()


def test_the_dockerfiles_pull_no_frontend():
    """A ``syntax`` line is a download, which a build without a registry cannot make."""
    for path in tracked("*Dockerfile"):
        assert not re.search(r"(?im)^#\s*syntax\s*=", path.read_text()), path


def test_no_registry_and_no_machine_is_named():
    for path in tracked():
        found = FOREIGN.search(path.read_text(encoding="utf-8", errors="replace"))
        assert not found, f"{path}: {found[0] if found else ''}"


@pytest.mark.parametrize("path", tracked("pastebox/*.py"), ids=lambda path: path.stem)
def test_a_module_has_one_job(path):
    """A module of more lines than this has two, or says in its docstring why it has not."""
    text = path.read_text()
    says_why = f"{MOST_LINES} lines" in (ast.get_docstring(ast.parse(text)) or "")
    assert len(text.splitlines()) <= MOST_LINES or says_why


def test_the_makefile_explains_every_target_that_people_use():
    text = (ROOT / "Makefile").read_text()
    explained = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert explained >= {"run", "test", "lint", "bench", "soak", "image", "docs", "clean"}
