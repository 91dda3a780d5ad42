"""The INI and the secrets on their way into the pod."""

from __future__ import annotations

import base64
import configparser
import random
from pathlib import Path

import pytest
from chart_render import CHART, INI, Objects, decoded, render, with_ini

pytestmark = pytest.mark.chart
SEED = "a long text that somebody keeps secret"


def mounted(objects: Objects, name: str) -> dict[str, str]:
    """The files of a projected volume: path to secret/key."""
    volume = next(v for v in objects.pod["volumes"] if v["name"] == name)
    return {
        item["path"]: f"{source['secret']['name']}/{item['key']}"
        for source in volume["projected"]["sources"]
        for item in source["secret"].get("items", ())
    }


def mount_path(objects: Objects, name: str) -> str:
    return next(m["mountPath"] for m in objects.app["volumeMounts"] if m["name"] == name)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(INI, id="plain"),
        pytest.param(
            "[app:main]\na = {{ .Release.Name }} %(here)s $x, {} [] \\ \" ' é\n", id="odd"
        ),
        pytest.param("# first\n[app:main]\na = b", id="no-newline"),
        pytest.param("[app:main]\r\na = b\r\n", id="dos"),
    ],
)
def test_a_file_arrives_as_it_is(text: str, tmp_path: Path):
    """``--set-file config.ini=app.ini``: no template, no quoting, no newline is lost."""
    path = tmp_path / "app.ini"
    path.write_text(text, newline="")
    objects = render({}, "--set-file", f"config.ini={path}")
    assert objects.ini == text
    assert mounted(objects, "config") == {"app.ini": "wiki-pastebox-config/app.ini"}
    assert mount_path(objects, "config") == "/etc/pastebox"


def test_sections_become_an_ini():
    sections = {
        "DEFAULT": {"debug": "false"},
        "composite:main": [{"use": "egg:Paste#urlmap"}, {"/": "home"}],
        "app:home": {"lines": ["one", "two"], "text": "three\n\nfour\n", "none": None, "empty": ""},
    }
    assert render({"config": {"sections": {"app:main": {"b": "2", "a": "1"}}}}).ini == (
        "[app:main]\na = 1\nb = 2\n"
    )
    listed = [{name: options} for name, options in sections.items()]
    assert render({"config": {"sections": listed}}).ini == (
        "[DEFAULT]\ndebug = false\n\n"
        "[composite:main]\nuse = egg:Paste#urlmap\n/ = home\n\n"
        "[app:home]\nempty = \nlines = \n    one\n    two\ntext = three\n    \n    four\n"
    )


def odd_texts(count: int) -> dict[str, str]:
    """Values of one line or several, of what YAML, Go's templates or an INI might eat."""
    chance = random.Random(5)
    alphabet = "abZ019%(){}$ .,'\"\\é#;[]=:-&*!|>@`~?\t"

    def line() -> str:
        return "".join(chance.choices(alphabet, k=chance.randrange(1, 20))).strip(" \t#;") or "x"

    return {
        f"option.{number}": "\n".join(line() for _ in range(chance.randrange(1, 4)))
        for number in range(count)
    }


def test_every_text_is_read_back_as_it_was():
    texts = odd_texts(300)
    ini = render({"config": {"sections": {"app:main": texts}}}).ini
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_string(ini)
    found = dict(parser.items("app:main"))
    assert found == texts


def test_overlays_lie_in_conf_d_in_order():
    overlays = {"20-b.ini": "[app:main]\nb = 1\n", "10-a.ini": "[app:main]\na = 1\n"}
    objects = render({"config": {"ini": INI, "overlays": overlays}})
    files = mounted(objects, "config")
    assert sorted(files) == ["app.ini", "conf.d/10-a.ini", "conf.d/20-b.ini"]
    assert decoded(objects.one("Secret", "-config"))["overlay.20-b.ini"] == overlays["20-b.ini"]


def test_an_ini_of_the_image_is_not_hidden():
    objects = render(CHART / "ci/from-image.yaml")
    assert mount_path(objects, "config") == "/etc/pastebox/conf.d"
    assert list(mounted(objects, "config")) == ["10-local.ini"]


def test_an_existing_secret_is_mounted_under_the_name_that_pastebox_looks_for():
    objects = render(CHART / "ci/existing-secrets.yaml")
    assert mounted(objects, "config") == {"app.ini": "wiki-ini/production.ini"}
    assert objects.all("Secret") == []
    assert mounted(objects, "secrets") == {"db_password": "wiki-db/password"}


def test_secrets_are_beside_what_others_mount_in_run_secrets():
    """A volume at /run/secrets would make the place where tokens are mounted read-only."""
    objects = render(with_ini({"secrets": {"values": {"db_password": "a%b\n"}}}))
    assert mount_path(objects, "secrets") == objects.env["PASTEBOX_SECRETS_DIR"]
    assert objects.env["PASTEBOX_SECRETS_DIR"] == "/run/secrets/pastebox"
    assert mounted(objects, "secrets") == {"db_password": "wiki-pastebox-config/secret.db_password"}
    assert decoded(objects.one("Secret", "-config"))["secret.db_password"] == "a%b\n"
    assert "a%b" not in str(objects.workload)


def checksum(values: dict) -> str:
    return render(values).workload["spec"]["template"]["metadata"]["annotations"]["checksum/config"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"config": {"ini": INI + "threads = 5\n"}}, id="ini"),
        pytest.param({"config": {"ini": INI, "overlays": {"a.ini": "[a]\n"}}}, id="overlay"),
        pytest.param({"secrets": {"values": {"a": "b"}}}, id="secret"),
    ],
)
def test_a_changed_configuration_makes_a_new_pod(change: dict):
    assert checksum(with_ini()) == checksum(with_ini())
    assert checksum(with_ini(change)) != checksum(with_ini())


def test_a_configuration_that_is_to_be_ignored_makes_none():
    objects = render({"config": {"ini": INI, "onChange": "ignore"}})
    assert "annotations" not in objects.workload["spec"]["template"]["metadata"]


def test_a_configuration_that_is_reloaded_makes_none_and_is_looked_at():
    objects = render(CHART / "ci/reload.yaml")
    assert "annotations" not in objects.workload["spec"]["template"]["metadata"]
    assert objects.env["PASTEBOX_ON_CONFIG_CHANGE"] == "reload"
    for other in ("roll", "ignore"):
        env = render({"config": {"ini": INI, "onChange": other}}).env
        assert "PASTEBOX_ON_CONFIG_CHANGE" not in env


@pytest.mark.parametrize(
    ("value", "expected"),
    [(False, None), (True, "auto"), ("poll", "poll"), ("off", "off")],
    ids=["default", "true", "poll", "off"],
)
def test_changed_code_is_looked_for_where_that_is_wanted(value: object, expected: str | None):
    assert render(with_ini({"reload": value})).env.get("PASTEBOX_RELOAD") == expected


def test_a_new_version_of_the_chart_alone_makes_no_new_pod():
    template = render(with_ini()).workload["spec"]["template"]
    assert "helm.sh/chart" not in template["metadata"]["labels"]
    assert "app.kubernetes.io/version" not in template["metadata"]["labels"]


def test_a_generated_secret_is_the_same_in_every_render_without_a_cluster():
    values = with_ini({"secrets": {"generate": ["session_secret", "other"], "seed": SEED}})
    first, second = (decoded(render(values).one("Secret", "-generated")) for _ in range(2))
    assert first == second
    assert first["session_secret"] != first["other"]
    assert all(len(text) == 64 for text in first.values())
    elsewhere = decoded(render(values, release="blog").one("Secret", "-generated"))
    assert elsewhere["other"] != first["other"]


SEED_FILE = "PASTEBOX_INSTANCE_SEED_FILE"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"secrets": {"seed": SEED}}, id="by-itself"),
        pytest.param({"secrets": {"seed": SEED, "generate": ["instance_seed"]}}, id="asked-for"),
        pytest.param({"secrets": {"values": {"instance_seed": "a" * 32}}}, id="value"),
        pytest.param(
            {
                "secrets": {
                    "existing": [{"name": "a", "items": [{"key": "b", "path": "instance_seed"}]}]
                }
            },
            id="existing",
        ),
        pytest.param(
            {"secrets": {"seed": SEED}, "setup": {"mode": "initContainer"}}, id="init-container"
        ),
    ],
)
def test_pods_that_make_their_ini_have_one_seed(more: dict):
    objects = render({"config": {"fromImage": True}, **more})
    path = Path(objects.env[SEED_FILE])
    assert str(path.parent) == mount_path(objects, "secrets")
    generated = [s for s in objects.all("Secret") if s["metadata"]["name"].endswith("-generated")]
    given = [*mounted(objects, "secrets"), *(name for one in generated for name in one["data"])]
    assert given.count(path.name) == 1
    assert all(len(base64.b64decode(one["data"][path.name])) >= 32 for one in generated)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"replicas": 1}, id="one"),
        pytest.param({"persistence": {"mode": "shared"}}, id="one-volume"),
        pytest.param({"acceptRisks": ["lock"]}, id="image-has-one"),
    ],
)
def test_who_shares_the_ini_needs_no_seed(more: dict):
    assert SEED_FILE not in render({"config": {"fromImage": True}, **more}).env
    assert SEED_FILE not in render(with_ini()).env


def test_a_generated_secret_outlives_the_release():
    values = with_ini({"secrets": {"generate": ["a"], "seed": SEED}})
    annotations = render(values).one("Secret", "-generated")["metadata"]["annotations"]
    assert annotations == {"helm.sh/resource-policy": "keep"}


def test_a_hook_has_the_same_secrets_as_the_pods():
    objects = render(CHART / "ci/job.yaml")
    for name in ("-config", "-generated"):
        theirs = objects.one("Secret", f"{name}-setup")
        assert decoded(theirs) == decoded(objects.one("Secret", name))
        assert theirs["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert int(theirs["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
