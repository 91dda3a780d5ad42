"""What every Compose project of examples/frontends promises."""

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/frontends").glob("*/compose.yaml"))
PAGES = "".join(path.read_text() for path in (ROOT / "docs/how-to").glob("*.md"))


def seconds(text):
    return int(text.removesuffix("s"))


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.parent.name)
def project(request):
    return yaml.safe_load(request.param.read_text())


def test_the_project_is_named_after_its_directory_and_a_page_tells_of_it(project):
    name = project["name"].removeprefix("wiki-")
    assert (ROOT / "examples/frontends" / name / "compose.yaml").exists()
    assert f"examples/frontends/{name}`" in PAGES


def test_no_service_has_more_than_it_needs(project):
    for name, service in project["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert name.startswith("wiki") or service["user"].split(":")[0] != "0", name


def test_only_the_front_end_is_reached_from_outside(project):
    for name, service in project["services"].items():
        if name.startswith("wiki"):
            assert "ports" not in service, name
            is_apart = service.get("networks") == ["inside"] and project["networks"]["inside"]
            assert is_apart == {"internal": True} or service["network_mode"] == "none", name
        else:
            assert service["ports"] == ["127.0.0.1:${PORT:-8080}:8080"]


def test_the_grace_period_is_the_delay_the_timeout_and_five_seconds(project):
    for name, service in project["services"].items():
        if name.startswith("wiki"):
            environ = service["environment"]
            drain = environ["PASTEBOX_DRAIN_DELAY"], environ["PASTEBOX_DRAIN_TIMEOUT"]
            assert seconds(service["stop_grace_period"]) == sum(map(seconds, drain)) + 5, name
