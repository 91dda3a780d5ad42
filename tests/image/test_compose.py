"""compose.yaml as people start it, with PostgreSQL and with SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest
from compose_project import UP

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def postgresql_image(docker) -> str:
    """PostgreSQL from Debian's packages, since no image can be pulled everywhere."""
    tag = "pastebox-test-postgresql"
    docker("build", "--quiet", "--tag", tag, str(ROOT / "tests/image/postgresql"), timeout=600)
    return tag


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
