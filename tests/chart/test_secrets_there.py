"""What the chart does with the Secrets that a cluster has: keeps its own, looks at those of others.

Without a cluster Helm's lookup finds nothing, so a copy of the chart looks into a value instead.
"""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from chart_render import CHART, INI, Objects, decoded, refusal, render, with_ini

pytestmark = pytest.mark.chart
LOOKUP = 'lookup "v1" "Secret" .root.Release.Namespace .name'
ONLINE = {"": {"items": []}}


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy whose cluster is the value ``global``: the name of a Secret to the Secret."""
    copy = tmp_path_factory.mktemp("there") / "pastebox"
    shutil.copytree(CHART, copy)
    path = copy / "templates/_config.tpl"
    text = path.read_text()
    assert text.count(LOOKUP) == 1
    path.write_text(text.replace(LOOKUP, "get .root.Values.global .name"))
    (copy / "templates/shown.yaml").write_text(
        "kind: Shown\nmetadata: {name: shown}\n"
        'warnings: {{ include "pastebox.warnings" . | quote }}\n'
    )
    return copy


def secret(**data: str) -> dict[str, Any]:
    """A Secret as the API gives it."""
    return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}}


def generated(objects: Objects) -> dict[str, str]:
    return decoded(objects.one("Secret", "-generated"))


def test_a_first_installation_makes_them_by_chance(chart: Path):
    values = with_ini({"secrets": {"generate": ["a", "b"]}, "global": ONLINE})
    first, second = (generated(render(values, chart=chart)) for _ in range(2))
    assert set(first) == {"a", "b"}
    assert len({*first.values(), *second.values()}) == 4
    assert all(len(text) >= 32 for text in first.values())


def test_an_upgrade_keeps_them_and_makes_what_is_new(chart: Path):
    there = {**ONLINE, "wiki-pastebox-generated": secret(a="kept", old="not asked for any more")}
    values = with_ini({"secrets": {"generate": ["a", "b"]}, "global": there})
    found = generated(render(values, chart=chart))
    assert set(found) == {"a", "b"}
    assert found["a"] == "kept"


def test_what_is_there_wins_over_a_seed(chart: Path):
    """Who comes from chance to a seed keeps the secrets."""
    there = {**ONLINE, "wiki-pastebox-generated": secret(a="kept")}
    secrets = {"generate": ["a"], "seed": "a long text that somebody keeps secret"}
    values = with_ini({"secrets": secrets, "global": there})
    assert generated(render(values, chart=chart)) == {"a": "kept"}


def test_the_seed_of_made_inis_is_kept(chart: Path):
    there = {**ONLINE, "wiki-pastebox-generated": secret(instance_seed="s" * 48)}
    values = {"config": {"fromImage": True}, "global": there}
    assert generated(render(values, chart=chart)) == {"instance_seed": "s" * 48}


def test_an_upgrade_by_hooks_gives_the_job_what_the_pods_have(chart: Path):
    values = with_ini({"secrets": {"generate": ["a"]}, "setup": {"mode": "job"}, "global": ONLINE})
    objects = render(values, chart=chart)
    assert decoded(objects.one("Secret", "-generated-setup")) == generated(objects)


@pytest.mark.parametrize(
    ("values", "there", "sentence"),
    [
        pytest.param(
            with_ini(
                {"secrets": {"existing": [{"name": "db", "items": [{"key": "pw", "path": "p"}]}]}}
            ),
            {"db": secret(password="x", user="y")},
            "secrets.existing: the Secret db has no key pw, so no pod could start; it has: "
            "password, user",
            id="key",
        ),
        pytest.param(
            {"config": {"existingSecret": "{{ .Release.Name }}-ini"}},
            {"wiki-ini": secret()},
            "config.existingSecret: the Secret wiki-ini has no key app.ini, so no pod could start; "
            "it has: none",
            id="ini",
        ),
    ],
)
def test_a_missing_key_is_refused(chart: Path, values: dict, there: dict, sentence: str):
    online = {**values, "global": {**ONLINE, **there}}
    assert sentence in refusal(online, chart=chart)
    render({**online, "acceptRisks": ["secrets"]}, chart=chart)
    render({**online, "global": {}}, chart=chart)


def test_a_secret_that_is_not_there_yet_is_told(chart: Path):
    values = with_ini({"secrets": {"existing": [{"name": "db"}, {"name": "more"}]}})
    there = {**ONLINE, "more": secret(a="b")}
    told = render({**values, "global": there}, chart=chart).one("Shown")["warnings"]
    assert "secrets.existing: there is no Secret db yet: pods wait for it" in told
    assert "Secret more" not in told
    assert "no Secret" not in render({**values, "global": {}}, chart=chart).one("Shown")["warnings"]


def test_a_key_that_is_there_is_no_matter(chart: Path):
    values = {
        "config": {"existingSecret": "s"},
        "global": {**ONLINE, "s": secret(**{"app.ini": INI})},
    }
    assert "no Secret" not in render(values, chart=chart).one("Shown")["warnings"]
