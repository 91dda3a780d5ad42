"""The workflows: every action by commit, no right that is not needed, commands of the Makefile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
WRITES = {
    ("release", "package"): {"id-token"},
    ("release", "image"): {"packages"},
    ("release", "chart"): {"packages"},
}
"""The only jobs that may write, and what."""


def jobs():
    return {
        f"{path.stem}-{name}": job
        for path in WORKFLOWS
        for name, job in yaml.safe_load(path.read_text())["jobs"].items()
    }


def steps():
    return [step for job in jobs().values() for step in job["steps"]]


def test_there_is_one_for_each_purpose():
    assert [path.stem for path in WORKFLOWS] == ["chart", "image", "release", "test"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_named_by_commit_and_says_its_release(path):
    lines = [line.strip() for line in path.read_text().splitlines() if "uses:" in line]
    for line in lines:
        assert re.fullmatch(r"- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_is_one_commit_everywhere():
    uses = {step["uses"] for step in steps() if "uses" in step}
    assert len(uses) == len({use.partition("@")[0] for use in uses})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_and_a_job_those_it_needs(path):
    text = yaml.safe_load(path.read_text())
    assert text["permissions"] == {}
    for name, job in text["jobs"].items():
        rights = dict(job["permissions"])
        assert rights.pop("contents") == "read"
        assert set(rights) == WRITES.get((path.stem, name), set())
        assert set(rights.values()) <= {"write"}


@pytest.mark.parametrize("job", list(jobs().values()), ids=list(jobs()))
def test_a_job_ends_and_a_checkout_keeps_no_token(job):
    assert job["timeout-minutes"] <= 120
    first = job["steps"][0]
    assert first["uses"].startswith("actions/checkout@")
    assert first["with"] == {"persist-credentials": False}


def test_nothing_of_the_event_is_pasted_into_a_command():
    """What somebody named a branch would be run; it goes through the environment."""
    for step in steps():
        assert "${{" not in step.get("run", ""), step


def test_the_commands_are_the_makefiles():
    """But for packages of the runner, and logins, which no developer's machine needs."""
    others = ("sudo apt-get update && ", 'echo "$TOKEN" | ')
    for step in steps():
        command = step.get("run", "make help")
        if not command.startswith(others):
            assert re.match(r"make [a-z-]+", command), command
            assert command.split()[1] in TARGETS, command


def test_every_target_of_the_dockerfile_that_is_asked_for_is_there():
    asked = {found for step in steps() for found in re.findall(r"TARGET=(\S+)", str(step))}
    assert asked
    assert asked <= set(re.findall(r"(?m)^FROM \S+ AS (\S+)", DOCKERFILE))


def test_the_makefile_asks_for_attestations_where_it_pushes():
    [push] = re.findall(r"(?ms)^push:.*?\n\n", (ROOT / "Makefile").read_text())
    assert "--provenance=mode=max --sbom=true" in push
    assert "linux/amd64,linux/arm64" in (ROOT / "Makefile").read_text()
