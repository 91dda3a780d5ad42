"""compose.yaml as people start it, with PostgreSQL and with SQLite."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_docker.plugin import DockerComposeExecutor, get_docker_services
from wiki_reader import Reader

ROOT = Path(__file__).parents[2]
UP = "up --detach --wait --no-build"
DOWN = "down --volumes --remove-orphans --timeout 5"


class Project:
    """A running Compose project of the wiki, under a name of its own."""

    def __init__(self, compose: DockerComposeExecutor) -> None:
        self.compose = compose

    def do(self, command: str) -> str:
        """Run one Compose command, whose words are the shell's; fail with what it said."""
        return self.compose.execute(command).decode().strip()

    def logs(self) -> str:
        """Return what every service logged."""
        return self.do("logs --no-color")

    def front_page(self) -> str:
        """Return the wiki's first page."""
        status, text = Reader(f"http://{self.do('port wiki 8080')}").read("/")
        assert status == 200, self.logs()
        return text


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
def start(secrets_dir: Path, wiki_image: str, monkeypatch) -> Iterator[Callable[..., Project]]:
    """Start Compose projects; whatever happens, they are gone with their volumes afterwards."""
    with contextlib.ExitStack() as stack:

        def begin(*files: str, **environ: str) -> Project:
            given = {"SECRETS_DIR": str(secrets_dir), "WIKI_IMAGE": wiki_image, "PORT": "0"}
            for name, text in (given | environ).items():
                monkeypatch.setenv(name, text)
            name = f"pastebox-test-{uuid.uuid4().hex[:8]}"
            paths = [str(ROOT / file) for file in files]
            project = Project(DockerComposeExecutor("docker compose", paths, name))
            # Registered first: a set-up that fails leaves containers behind.
            stack.callback(project.do, DOWN)
            services = get_docker_services("docker compose", paths, name, [UP], [])
            try:
                stack.enter_context(services)
            except Exception as error:  # the plugin has no type of its own
                pytest.fail(f"{error}\n{project.logs()}", pytrace=False)
            return project

        yield begin


@pytest.mark.timeout(300)
def test_the_wiki_keeps_its_pages_in_postgresql(start, postgresql_image, secrets_dir):
    wiki = start("compose.yaml", POSTGRES_IMAGE=postgresql_image)
    assert "<h1" in wiki.front_page()
    query = (
        "PGPASSWORD=$(cat /run/secrets/db_password) exec psql --host 127.0.0.1 --username wiki"
        ' --no-align --tuples-only --command "select count(*) from page"'
    )
    assert int(wiki.do(f"exec --no-TTY db sh -c '{query}'")) > 3
    for path in secrets_dir.iterdir():
        assert path.read_text() not in wiki.logs()
    wiki.do("stop wiki")
    assert wiki.do("ps --all --format '{{.ExitCode}}' wiki") == "0", wiki.logs()
    wiki.do(UP)
    assert "<h1" in wiki.front_page()


@pytest.mark.timeout(300)
def test_the_override_does_without_a_database(start):
    wiki = start("compose.yaml", "compose.sqlite.yaml")
    assert wiki.do("ps --all --services").split() == ["wiki"]
    assert "<h1" in wiki.front_page()
    assert wiki.do("exec --no-TTY wiki ls /data/wiki.db") == "/data/wiki.db"
