"""examples/frontends as people start them, with the front ends of Debian's packages."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compose_project import Project
from rolling_load import Load
from wiki_reader import Reader

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.name for path in (ROOT / "examples/frontends").iterdir() if path.is_dir())
IN_SHORT = ("apache-ajp", "haproxy", "nginx-prefix")
"""One of each kind: AJP, two wikis by HTTP, a path with static files. The others are started by
a run with PASTEBOX_TEST_FULL; what they configure, tests/protocol/test_front_end_examples.py serves
without containers."""
IS_FULL = bool(os.environ.get("PASTEBOX_TEST_FULL"))
ROLLING = ["up --detach --wait --no-deps --no-build --force-recreate wiki-1"]
ROLLING += ["up --detach --wait --no-deps --no-build --force-recreate wiki-2"]


@pytest.fixture
def begin(start, front_end_image, docker, wiki_image, build_secrets):
    """Start an example by its name."""

    def begin(name: str) -> Project:
        variables = [f"{word}_IMAGE" for word in ("NGINX", "HTTPD", "LIGHTTPD", "HAPROXY", "CADDY")]
        images = dict.fromkeys(variables, front_end_image)
        if name == "haproxy-proxy-protocol":
            images["WIKI_GUNICORN_IMAGE"] = tag = "pastebox-wiki-gunicorn:test"
            words = ["--quiet", "--tag", tag, "--build-arg", f"WIKI_IMAGE={wiki_image}"]
            folder = str(ROOT / "examples/frontends" / name)
            docker("build", *words, *build_secrets, folder, timeout=600)
        return start(f"examples/frontends/{name}/compose.yaml", **images)

    return begin


def front_end_of(name: str) -> str:
    return name.partition("-")[0]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", EXAMPLES if IS_FULL else IN_SHORT)
def test_an_example_serves_the_wiki(begin, name):
    project = begin(name)
    reader = Reader(project.url(front_end_of(name)) + ("/wiki" if "prefix" in name else ""))
    status, text = reader.read("/")
    assert status == 200, project.logs()
    assert "Front Page" in text
    assert "color" in reader.read("/static/wiki.css")[1]
    reader.write("Through_the_front_end", "Written through the front end.")
    services = project.do("ps --all --services").split()
    for service in services:
        if service.startswith("wiki"):
            assert project.do(f"ps --format '{{{{.Ports}}}}' {service}") == ""
    project.do("stop")
    statuses = project.do("ps --all --format '{{.ExitCode}}'").split()
    assert set(statuses) == {"0"}, project.logs()


def assert_sockets_are_private(project: Project, name: str) -> None:
    """Only the wiki makes sockets there, and only its group, which nginx is in, connects."""
    if name == "nginx-fastcgi":
        found = project.do("exec --no-TTY nginx stat -c '%a %u:%g' /run/wiki /run/wiki/1.sock")
        assert found.splitlines() == ["750 10001:0", "770 10001:0"]
        assert "workers=2" in project.do("logs --no-color wiki-1")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["nginx-fastcgi", "haproxy"] if IS_FULL else ["nginx-fastcgi"])
def test_a_rolling_replacement_loses_no_request(begin, name):
    project = begin(name)
    assert_sockets_are_private(project, name)
    load = Load(int(project.url(front_end_of(name)).rpartition(":")[2])).start()
    try:
        for command in ROLLING:
            load.wait_for(50)
            before = project.do(f"ps --quiet {command.split()[-1]}")
            project.do(command)
            assert project.do(f"ps --quiet {command.split()[-1]}") != before
        load.wait_for(50)
    finally:
        load.finish()
    assert not load.failures, f"{load.account()}\n{load.failures}\n{project.logs()}"
    assert all(load.counts[kind] for kind in ("keep_reading", "read_anew", "write"))
