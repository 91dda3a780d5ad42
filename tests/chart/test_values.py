"""values.yaml, its schema and its pages say the same, and what pastebox's settings say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
import yaml

import pastebox
from pastebox.errors import ConfigError
from pastebox.settings import Settings, options, resolve

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/pastebox"
spec = importlib.util.spec_from_file_location("chart_generate", ROOT / "helm/generate.py")
assert spec
assert spec.loader
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)

VALUES = (CHART / "values.yaml").read_text()
ROWS = generate.read(VALUES)
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_what_is_generated_is_committed(path):
    assert path.read_text() == generate.files()[path], "run: python helm/generate.py"


def test_every_value_has_a_comment():
    with pytest.raises(ValueError, match=r"image\.tag has no comment"):
        generate.read("image:\n  # The repository.\n  repository: a\n\n  tag: b\n")


def test_every_value_is_a_sentence_and_is_used():
    used = "".join(path.read_text() for path in (CHART / "templates").rglob("*.*"))
    for row in ROWS:
        assert re.fullmatch(r"[A-Z].*[.]", row.text), row
        assert re.search(rf"\.{row.path[-1]}\b", used), f"{row.path} is used nowhere"


def test_no_object_of_the_schema_is_open_that_values_are_looked_up_in():
    def closed(part: dict, path: str) -> None:
        if "properties" in part:
            assert part["additionalProperties"] is False, path
            for name, inner in part["properties"].items():
                closed(inner, f"{path}.{name}")

    closed(SCHEMA, "")


def test_every_setting_is_a_value_or_is_computed():
    """An option of the table comes into the chart, or COMPUTED says that it does not."""
    in_settings = set(SCHEMA["properties"]["settings"]["properties"])
    stood_for = generate.stood_for(ROWS)
    names = {option.name for option in options()}
    assert in_settings | stood_for | generate.COMPUTED >= names
    assert not in_settings & stood_for
    assert not in_settings & generate.COMPUTED


def test_the_choices_of_the_lock_are_those_of_the_setting():
    lock = SCHEMA["properties"]["setup"]["properties"]["lock"]["enum"]
    assert set(lock) == {"auto", *(Settings.lock.converter.choices)}


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        pytest.param("hook_timeout", ["20", "500ms", "1h30m", "1.5s"], ["", "5 s", "5d", "-1"]),
        pytest.param("worker_restarts", ["0", "1000"], ["-1", "many", "1.5"]),
        pytest.param("log_format", ["ini", "json"], ["xml", "JSON", ""]),
        pytest.param("workers", ["1", "auto"], ["some", "-1"]),
    ],
    ids=["seconds", "number", "choice", "workers"],
)
def test_the_schema_takes_what_the_setting_reads(name, good, bad):
    """The rules of the schema and pastebox's own converter agree about texts."""
    option = next(option for option in options() if option.name == name)
    rule = generate.setting_schema(option)
    for text in (*good, *bad):
        try:
            resolve({}, {option.environment: text})
            reads = True
        except ConfigError:
            reads = False
        assert reads == (text in good), text
        fits = text in rule["enum"] if "enum" in rule else bool(re.search(rule["pattern"], text))
        assert fits == reads, (name, text)


def test_the_chart_is_of_this_version():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == pastebox.__version__


def test_the_dashboard_and_the_alerts_name_metrics_that_exist():
    told = set(re.findall(r"`(pastebox_\w+)`", (ROOT / "docs/reference/metrics.md").read_text()))
    for path in (CHART / "dashboards/pastebox.json", CHART / "templates/monitoring.yaml"):
        for name in re.findall(r"\bpastebox_[a-z_]+", path.read_text()):
            assert name.removesuffix("_bucket") in told, f"{path.name}: {name}"
