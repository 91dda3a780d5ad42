"""The how-to and the examples: what they show renders, and what their commands name is there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from chart_render import FILES, NEWEST, ROOT, Objects, render, run_helm
from doc_blocks import blocks_of, commands_of

pytestmark = pytest.mark.chart
PAGE = ROOT / "docs/how-to/kubernetes.md"
BLOCKS = blocks_of(PAGE.read_text())
COMMANDS = [
    shlex.split(command.text)
    for block in BLOCKS
    if block.language == "console" and block.kind == "elsewhere"
    for command in commands_of(block)
]
SEED = "secrets.seed=a long text for a test"


def text_of(language: str, name: str) -> str:
    """The only block of a language that has these words."""
    (found,) = (b.text for b in BLOCKS if b.language == language and name in b.text)
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the page, and the chart."""
    path = tmp_path_factory.mktemp("how-to")
    (path / "app.ini").write_text(text_of("ini", "[app:main]"))
    (path / "values.yaml").write_text(text_of("yaml", "repository:"))
    (path / "db.yaml").write_text(text_of("yaml", "postgres:17"))
    (path / "helm").symlink_to(ROOT / "helm")
    return path


@cache
def how_to(place: Path) -> Objects:
    """What the page installs."""
    values = yaml.safe_load((place / "values.yaml").read_text())
    return render(values, "--set-file", f"config.ini={place / 'app.ini'}", "--set", SEED)


def test_the_how_to_renders(place: Path):
    objects = how_to(place)
    assert objects.ini == (place / "app.ini").read_text()
    assert objects.env["DB_HOST"] == "db"
    assert objects.workload["spec"]["replicas"] == 2


def test_the_database_to_try_it_with_is_one(place: Path):
    validate = pytest.importorskip("kubernetes_validate")
    service, deployment = yaml.safe_load_all((place / "db.yaml").read_text())
    for item in (service, deployment):
        validate.validate(item, NEWEST, strict=True)
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (secret,) = (one["valueFrom"]["secretKeyRef"] for one in env if "valueFrom" in one)
    volume = next(v for v in how_to(place).pod["volumes"] if v["name"] == "secrets")
    mounted = {
        s["secret"]["name"]: s["secret"].get("items") for s in volume["projected"]["sources"]
    }
    assert mounted[secret["name"]] == [{"key": secret["key"], "path": "db_password"}]
    assert how_to(place).env["DB_HOST"] == service["metadata"]["name"]


INSTALLS = [words for words in COMMANDS if words[:2] in (["helm", "install"], ["helm", "upgrade"])]


@pytest.mark.parametrize("words", INSTALLS, ids=" ".join)
def test_every_install_and_upgrade_renders(words: list[str], place: Path):
    """As ``helm template`` with the same words; those of before come with --reuse-values."""
    _, _, release, chart, *flags = words
    kept: list[str] = []
    if "--reuse-values" in flags:
        kept = ["--values", "values.yaml", "--set-file", "config.ini=app.ini"]
        flags.remove("--reuse-values")
    if "--timeout" in flags:
        at = flags.index("--timeout")
        del flags[at : at + 2]
    flags = [flag for flag in flags if flag != "--wait"]
    answer = run_helm("template", release, chart, *kept, *flags, "--set", SEED, cwd=place)
    assert answer.returncode == 0, answer.stderr


def test_the_page_upgrades_what_it_installs():
    assert ["helm", "test", "wiki"] in COMMANDS
    assert {words[2] for words in INSTALLS} == {"wiki", "wikis"}
    others = [words for words in COMMANDS if words[0] == "helm" and words not in INSTALLS]
    assert {words[1] for words in others} == {"test", "history", "rollback", "uninstall"}
    assert {words[2] for words in others} == {"wiki"}


KUBECTL = [words for words in COMMANDS if words[0] == "kubectl"]


@pytest.mark.parametrize("words", KUBECTL, ids=lambda words: " ".join(words)[:80])
def test_everything_that_kubectl_names_is_there(words: list[str], place: Path):
    objects = how_to(place)
    if any("wikis-" in word for word in words):
        objects = render(ROOT / "helm/examples/instances.yaml", release="wikis")
    for word in words:
        _look_at_the_word(objects, word)
    if "-c" in words:
        assert words[words.index("-c") + 1] in _containers(objects)
    if "-l" in words:
        labels = dict(pair.split("=") for pair in words[words.index("-l") + 1].split(","))
        assert labels.items() <= objects.workload["spec"]["template"]["metadata"]["labels"].items()
    if words[1] == "port-forward":
        _look_at_the_port(objects, words[2], words[3])
    if words[1:3] == ["delete", "secret"]:
        objects.one("Secret", words[3])


def _look_at_the_word(objects: Objects, word: str) -> None:
    there = {f"{item['kind'].lower()}/{item['metadata']['name']}" for item in objects.items}
    option, _, value = word.partition("=")
    if word.startswith(("deployment/", "service/")):
        assert word in there
    if word.endswith("-NEW"):
        assert word.removesuffix("-NEW") == objects.workload["metadata"]["name"]
    if option == "--target":
        assert value in _containers(objects)
    if option == "--image":
        assert value == objects.app["image"]


def _containers(objects: Objects) -> set[str]:
    return {one["name"] for one in objects.pod["containers"]}


def _look_at_the_port(objects: Objects, target: str, ports: str) -> None:
    kind, _, name = target.partition("/")
    number = int(ports.rpartition(":")[2])
    if kind == "service":
        given = objects.one("Service", name)["spec"]["ports"]
        assert number in {port["port"] for port in given}
    else:
        assert number in {port["containerPort"] for port in objects.app["ports"]}


def test_every_verb_that_the_page_runs_in_a_pod_is_one():
    verbs = {words[words.index("pastebox") + 1] for words in KUBECTL if "pastebox" in words}
    assert verbs >= {"health", "explain", "check", "config", "ctl"}
    for verb in verbs:
        command = [sys.executable, "-m", "pastebox", verb, "--help"]
        assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("page", ["how-to/kubernetes.md", "explanation/replicas.md"])
def test_a_page_names_values_that_exist(page: str):
    schema = json.loads((ROOT / "helm/pastebox/values.schema.json").read_text())["properties"]
    groups = {name: part["properties"] for name, part in schema.items() if "properties" in part}
    text = (ROOT / "docs" / page).read_text()
    found = set(re.findall(rf"`(?:--set )?((?:{'|'.join(groups)})\.[A-Za-z.]+)", text))
    assert len(found) >= 8
    for name in found:
        group, key = name.split(".")[:2]
        assert key in groups[group], name


def test_the_page_of_the_values_is_the_generated_one():
    text = (ROOT / "docs/reference/chart.md").read_text()
    assert "Written by helm/generate.py" in text
    assert "`config.onChange`" in text


def test_every_example_is_there():
    names = {path.stem for path in FILES if path.parent.name == "examples"}
    assert names >= {"minimal", "postgresql", "fastcgi", "instances", "openshift"}
    assert "external-secrets" in names
    assert {path.stem for path in GITOPS} == {"argo-cd", "flux"}


GITOPS = sorted((ROOT / "helm/examples/gitops").glob("*.yaml"))


@pytest.mark.parametrize("path", GITOPS, ids=lambda path: path.stem)
def test_the_values_of_a_gitops_example_render(path: Path):
    """Argo CD renders without a cluster; Flux has one, which a seed stands for here."""
    (spec,) = (
        item["spec"]
        for item in yaml.safe_load_all(path.read_text())
        if "spec" in item and item["kind"] in ("Application", "HelmRelease")
    )
    values = spec["values"] if "values" in spec else spec["source"]["helm"]["valuesObject"]
    seed = "" if "source" in spec else "a long text for a test"
    first, second = (render(values, "--set", f"secrets.seed={seed}") for _ in range(2))
    assert first == second
    assert not any("helm.sh/hook" in str(item) for item in first.items if item["kind"] != "Pod")


@pytest.mark.parametrize("path", GITOPS, ids=lambda path: path.stem)
def test_a_gitops_example_names_this_chart(path: Path):
    text = path.read_text()
    version = yaml.safe_load((ROOT / "helm/pastebox/Chart.yaml").read_text())["version"]
    assert re.findall(r"(?:targetRevision|tag): ([\d.]+)\b", text)[0] == version
    assert "charts/pastebox" in text or "chart: pastebox" in text
