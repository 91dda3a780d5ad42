"""compose.yaml as people start it, with PostgreSQL and with SQLite."""

from __future__ import annotations

import os
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Project:
    """One Compose project of its own name, with its own secrets."""

    def __init__(self, files: list[str], environ: dict[str, str]) -> None:
        self.name = f"pastebox-test-{uuid.uuid4().hex[:8]}"
        self.words = ["docker", "compose", "--project-name", self.name]
        for file in files:
            self.words += ["--file", str(ROOT / file)]
        self.environ = {**os.environ, **environ}

    def call(self, *words: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run one Compose command and return what came of it."""
        return subprocess.run(
            [*self.words, *words],
            env=self.environ,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def do(self, *words: str, timeout: float = 180) -> str:
        """Run one Compose command; fail with its output and the logs of all services."""
        answer = self.call(*words, timeout=timeout)
        if answer.returncode:
            pytest.fail(f"compose {' '.join(words)}\n{answer.stdout}\n{self.logs()}")
        return answer.stdout.strip()

    def logs(self) -> str:
        """Return what every service logged."""
        return self.call("logs", "--no-color").stdout

    def get(self, path: str) -> str:
        """Return a page of the wiki."""
        address = f"http://{self.do('port', 'wiki', '8080')}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=20) as answer:
            return answer.read().decode()


@pytest.fixture
def secrets_dir(tmp_path: Path) -> Path:
    """Secrets of this test, made by the command that people use."""
    subprocess.run(
        ["make", "--no-print-directory", "compose-secrets", f"SECRETS_DIR={tmp_path}/secrets"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return tmp_path / "secrets"


@pytest.fixture(scope="session")
def postgresql_image(docker) -> str:
    """PostgreSQL from Debian's packages, since no image can be pulled everywhere."""
    tag = "pastebox-test-postgresql"
    docker("build", "--quiet", "--tag", tag, str(ROOT / "tests/image/postgresql"), timeout=600)
    return tag


@pytest.fixture
def project(secrets_dir: Path, wiki_image: str) -> Iterator[Callable[..., Project]]:
    """Start Compose projects; whatever happens, they are gone with their volumes afterwards."""
    started: list[Project] = []

    def start(*files: str, **environ: str) -> Project:
        given = {"SECRETS_DIR": str(secrets_dir), "WIKI_IMAGE": wiki_image, "PORT": "0", **environ}
        made = Project(list(files), given)
        started.append(made)
        made.do("up", "--detach", "--wait", "--no-build")
        return made

    yield start
    for made in started:
        made.call("down", "--volumes", "--remove-orphans", "--timeout", "5")


@pytest.mark.timeout(300)
def test_the_wiki_keeps_its_pages_in_postgresql(project, postgresql_image, secrets_dir):
    wiki = project("compose.yaml", POSTGRES_IMAGE=postgresql_image)
    assert "<h1" in wiki.get("/")
    query = (
        "PGPASSWORD=$(cat /run/secrets/db_password) exec psql --host 127.0.0.1 --username wiki"
        ' -Atc "select count(*) from page"'
    )
    assert int(wiki.do("exec", "--no-TTY", "db", "sh", "-c", query)) > 3
    for path in secrets_dir.iterdir():
        assert path.read_text() not in wiki.logs()
    wiki.do("stop", "wiki")
    state = wiki.do("ps", "--all", "--format", "{{.ExitCode}}", "wiki")
    assert state == "0", wiki.logs()
    wiki.do("up", "--detach", "--wait", "--no-build")
    assert "<h1" in wiki.get("/")


@pytest.mark.timeout(300)
def test_the_override_does_without_a_database(project):
    wiki = project("compose.yaml", "compose.sqlite.yaml")
    assert wiki.do("ps", "--all", "--services").split() == ["wiki"]
    assert "<h1" in wiki.get("/")
    assert wiki.do("exec", "--no-TTY", "wiki", "ls", "/data/wiki.db") == "/data/wiki.db"
