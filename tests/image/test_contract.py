"""What the image promises before it runs: who it is, what it holds, how it is watched."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MEGABYTE = 1_000_000
ENTRYPOINT = Path(__file__).parents[2] / "entrypoint/docker-entrypoint.sh"


def test_it_is_small(config):
    assert config["Size"] <= 115 * MEGABYTE


@pytest.mark.slim_too
def test_the_user_is_a_number_in_group_0(config):
    assert config["User"] == "10001:0"


@pytest.mark.slim_too
def test_tini_is_pid_1_and_term_stops_it(config):
    assert config["Entrypoint"][:2] == ["/usr/bin/tini", "--"]
    assert config["Cmd"] == ["serve"]
    assert config["StopSignal"] == "SIGTERM"


@pytest.mark.slim_too
def test_health_is_asked_often_while_it_starts(config):
    second = 1_000_000_000
    assert config["Healthcheck"] == {
        "Test": ["CMD", "pastebox", "health"],
        "Interval": 10 * second,
        "Timeout": 3 * second,
        "StartPeriod": 60 * second,
        "StartInterval": second // 2,
        "Retries": 3,
    }


@pytest.mark.slim_too
def test_it_names_its_ports_and_makes_no_anonymous_volume(config):
    assert set(config["ExposedPorts"]) == {"8080/tcp", "9090/tcp"}
    assert not config["Volumes"]


@pytest.mark.parametrize(
    ("label", "pattern"),
    [
        pytest.param("title", "pastebox", id="title"),
        pytest.param("description", ".{20,}", id="description"),
        pytest.param("licenses", "MIT", id="licenses"),
        pytest.param("version", r"\d+\.\d+\.\d+\S*", id="version"),
        pytest.param("revision", "[0-9a-f]{40}|unknown", id="revision"),
        pytest.param("created", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", id="created"),
    ],
)
@pytest.mark.slim_too
def test_the_labels_say_what_it_is(config, label, pattern):
    assert re.fullmatch(pattern, config["Labels"][f"org.opencontainers.image.{label}"])


@pytest.mark.slim_too
def test_no_secret_is_in_its_configuration(config):
    """Neither the environment nor the history of the build holds a value that looks like one."""
    text = "\n".join(config["Env"]) + str(config["History"])
    assert not re.search(r"(?i)(secret|password|token)[a-z_]*=[^$\s]", text), text


@pytest.mark.parametrize("name", ["gcc", "cc", "make", "git", "curl", "wget", "python3-config"])
def test_it_holds_no_compiler_and_no_downloader(run_to_end, name):
    status, output = run_to_end("sh", "-c", f"command -v {name}")
    assert status != 0, output


def test_no_cache_is_left_in_it(run_to_end):
    script = (
        "find /var/cache/apt /var/lib/apt/lists /tmp -type f -size +0; ls -A /root | grep cache"
    )
    _status, output = run_to_end("sh", "-c", script, options=["--user", "0"])
    assert not output


def test_it_holds_no_setuptools(run_to_end):
    status, output = run_to_end("python", "-c", "import setuptools")
    assert (status, "ModuleNotFoundError" in output) == (1, True)


@pytest.mark.slim_too
def test_its_byte_code_is_there_and_never_stale(run_to_end):
    """Nobody may write it under a strange UID, so start-up depends on what the build left."""
    script = (
        "import pathlib, sysconfig\n"
        "for root in (sysconfig.get_path('stdlib'), sysconfig.get_path('purelib')):\n"
        "    files = list(pathlib.Path(root).rglob('*.pyc'))\n"
        "    dated = [str(file) for file in files if file.read_bytes()[4:8] != b'\\1\\0\\0\\0']\n"
        "    print(len(files) > 100, dated)\n"
    )
    assert run_to_end("python", "-c", script) == (0, "True []\n" * 2)


def test_its_clock_is_utc(run_to_end):
    assert run_to_end("date", "+%Z") == (0, "UTC\n")


@pytest.mark.slim_too
def test_an_application_may_trust_what_debian_trusts(run_to_end):
    script = "import ssl; print(len(ssl.create_default_context().get_ca_certs()) > 100)"
    assert run_to_end("python", "-c", script) == (0, "True\n")


def test_the_entrypoint_is_short():
    assert len(ENTRYPOINT.read_text().splitlines()) <= 25
