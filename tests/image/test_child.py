"""``FROM pastebox`` and ``RUN pip install theapp`` are all that an application's image needs."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCKERFILE = """\
ARG PASTEBOX_IMAGE
FROM ${PASTEBOX_IMAGE}
COPY theapp /tmp/theapp
RUN --mount=type=secret,id=ca_bundle,target=/tmp/ca_bundle,mode=0444 \\
    --mount=type=secret,id=pip_conf,target=/tmp/pip_conf,mode=0444 \\
    if [ -s /tmp/ca_bundle ]; then export PIP_CERT=/tmp/ca_bundle; fi; \\
    if [ -s /tmp/pip_conf ]; then export PIP_CONFIG_FILE=/tmp/pip_conf; fi; \\
    pip install /tmp/theapp
"""
PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "theapp"
version = "1.0"

[project.entry-points."paste.app_factory"]
main = "theapp:make_app"

[tool.hatch.build.targets.wheel]
packages = ["theapp"]
"""
CODE = """\
def make_app(global_conf, **local_conf):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the app"]
    return app
"""


@pytest.fixture
def child_image(image, build_secrets, readable: Path, docker):
    """An image as an application's author writes it: no USER, no path, no flag."""
    package = readable / "theapp/theapp"
    package.mkdir(parents=True)
    (readable / "Dockerfile").write_text(DOCKERFILE)
    (readable / "theapp/pyproject.toml").write_text(PROJECT)
    (package / "__init__.py").write_text(CODE)
    tag = "pastebox-child:test"
    words = ["build", "--quiet", "--tag", tag, "--build-arg", f"PASTEBOX_IMAGE={image}"]
    docker(*words, *build_secrets, str(readable), timeout=300)
    return tag


def test_an_application_is_added_by_one_line(run, run_to_end, child_image):
    """The only installed application is the one that first boot configures."""
    container = run(image=child_image)
    container.wait_for_log("listening on")
    assert container.get().body == "the app"
    assert container.exec("id", "-u") == "10001"
    assert container.stop() == 0
    status, output = run_to_end("pip", "list", image=child_image)
    assert status == 0
    assert "theapp" in output
