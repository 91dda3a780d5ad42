"""What a release publishes: the package from its archives, the chart from a registry, one version.

`make release-check` runs this; the image's label is compared in tests/image.
"""

from __future__ import annotations

import email
import os
import re
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
import yaml
from chart_render import CHART
from helm_program import helm_program
from release_stand import call, chart_through, wait_for

from pastebox import __version__

ROOT = Path(__file__).parents[2]
APPLICATION = """\
def make_app(global_conf, **local_conf):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"from the wheel"]
    return app
"""
INI = """\
[app:main]
use = call:theapp:make_app

[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = 0
"""

pytestmark = pytest.mark.release


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, Path]:
    """The archives that a release uploads: the wheel is made of the unpacked sdist."""
    target = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT)
    files = {path.suffix: path for path in target.iterdir()}
    assert set(files) == {".gz", ".whl"}
    return {"sdist": files[".gz"], "wheel": files[".whl"]}


@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_an_archive_is_named_after_the_version(archives, kind):
    assert archives[kind].name.startswith(f"pastebox-{__version__}")


def test_the_index_would_take_them(archives):
    words = ["-m", "twine", "--no-color", "check", "--strict"]
    assert call(sys.executable, *words, *archives.values()).count("PASSED") == 2


def test_both_say_the_same_of_themselves(archives):
    with zipfile.ZipFile(archives["wheel"]) as wheel:
        [name] = [one for one in wheel.namelist() if one.endswith(".dist-info/METADATA")]
        of_wheel = wheel.read(name)
        of_python = {one for one in wheel.namelist() if one.startswith("pastebox/")}
    with tarfile.open(archives["sdist"]) as sdist:
        of_sdist = sdist.extractfile(f"pastebox-{__version__}/PKG-INFO").read()
    assert of_wheel == of_sdist
    assert email.message_from_bytes(of_wheel)["Version"] == __version__
    words = ("ls-files", "--cached", "--others", "--exclude-standard", "pastebox")
    assert of_python == set(call("git", *words, cwd=ROOT).split())


@pytest.mark.timeout(300)
def test_the_wheel_serves_an_ini_from_an_empty_environment(archives, tmp_path):
    """Installed with what it needs and nothing else; a stop by TERM is a clean one."""
    call(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        tmp_path / "venv",
    )
    call(*pip, "install", "--quiet", "--no-compile", archives["wheel"])
    names = re.findall(r"(?m)^([A-Za-z]\S*)==", call(*pip, "list", "--format", "freeze"))
    assert set(names) == {"pastebox", "PasteDeploy", "waitress"}
    command = tmp_path / "venv/bin/pastebox"
    assert call(command, "--version").strip() == f"pastebox {__version__}"

    (tmp_path / "theapp.py").write_text(APPLICATION)
    (tmp_path / "app.ini").write_text(INI)
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "PASTEBOX_HEALTH_PORT": "0"}
    environ["PASTEBOX_DATA_DIR"] = str(tmp_path / "data")
    log = tmp_path / "log"
    with log.open("wb") as file:
        words = [str(command), "serve", str(tmp_path / "app.ini")]
        server = subprocess.Popen(words, stdout=file, stderr=file, env=environ, cwd=tmp_path)
    try:
        address = wait_for(server, log, r"listening on (http://127\.0\.0\.1:\d+)\s")
        with build_opener(ProxyHandler({})).open(address, timeout=30) as answer:
            assert answer.read() == b"from the wheel"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0, log.read_text()
    finally:
        server.kill()
        server.wait()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_what_the_images_install_is_pinned_for_each_architecture(machine, tmp_path):
    """pip would take a wheel with one of the digests of every package."""
    words = ["-m", "pip", "--disable-pip-version-check", "install", "--dry-run", "--quiet"]
    words += ["--ignore-installed", "--target", str(tmp_path), "--require-hashes"]
    words += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.13"]
    words += ["--platform", f"manylinux_2_28_{machine}", "--platform", f"manylinux2014_{machine}"]
    for file in sorted((ROOT / "entrypoint").glob("requirements*.txt")):
        words += ["--requirement", str(file)]
    call(sys.executable, *words)


def test_the_tag_is_the_version():
    """``make release-check TAG=v1.2`` is what the workflow of a release says."""
    tag = os.environ.get("PASTEBOX_TEST_TAG", "")
    assert tag in {"", f"v{__version__}"}


def test_the_chart_has_the_version_of_the_package():
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (__version__, __version__)


def contents(package: Path) -> dict[str, bytes]:
    """Return what a packaged chart holds."""
    with tarfile.open(package) as files:
        return {one.name: files.extractfile(one).read() for one in files if one.isfile()}


@pytest.mark.chart
def test_the_chart_comes_back_from_a_registry_as_it_was(registry, tmp_path):
    """Packaged, pushed, pulled by its version, and rendered: the same objects as from here."""
    package, pulled = chart_through(registry, tmp_path)
    assert contents(pulled) == contents(package)
    (tmp_path / "app.ini").write_text(INI)
    values = ("--set-file", f"config.ini={tmp_path / 'app.ini'}")
    words = (helm_program(), "template", "wiki")
    both = [call(*words, chart, *values) for chart in (CHART, pulled)]
    assert both[0] == both[1]
    assert "kind: Deployment" in both[0]
