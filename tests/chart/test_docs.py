"""The how-to and the examples: what they show renders."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from chart_render import ROOT, render
from doc_blocks import blocks_of

pytestmark = pytest.mark.chart
PAGE = ROOT / "docs/how-to/kubernetes.md"


def test_the_how_to_renders(tmp_path: Path):
    blocks = blocks_of(PAGE.read_text())
    (ini,) = (block.text for block in blocks if block.language == "ini")
    (values,) = (block.text for block in blocks if block.language == "yaml")
    path = tmp_path / "app.ini"
    path.write_text(ini)
    words = ["--set-file", f"config.ini={path}", "--set", "secrets.seed=a long text for a test"]
    objects = render(yaml.safe_load(values), *words)
    assert objects.ini == ini
    assert objects.env["DB_HOST"] == "db"
    assert objects.workload["spec"]["replicas"] == 2


def test_the_how_to_names_values_that_exist():
    values = yaml.safe_load((ROOT / "helm/pastebox/values.yaml").read_text())
    for name in ("config.onChange", "drain.delay", "drain.method", "secrets.seed", "setup.mode"):
        assert name in PAGE.read_text()
        group, key = name.split(".")
        assert key in values[group]


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
